// Package pgproxy is a bad line to a PostgreSQL server, for tests: it cuts
// connections at the moments that matter to a commit, and takes the whole line
// down and up. What it passes on it does not change.
//
// It knows the protocol as far as that goes (version 3, without TLS) and imports
// nothing else of clientsd.
package pgproxy

import (
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Proxy stands between the users of a database and its server.
type Proxy struct {
	// URL is that of the database through the proxy.
	URL string

	network, address string // of the server
	ended            <-chan struct{}

	mu    sync.Mutex
	down  bool
	lines map[*line]struct{}
	cut   *Cut // the last that was ordered
}

// Start puts a proxy in front of the server of a URL until the test ends.
func Start(t testing.TB, behind string) *Proxy {
	t.Helper()
	server, err := pgconn.ParseConfig(behind)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{URL: through(t, behind, listener.Addr()), ended: t.Context().Done(), lines: make(map[*line]struct{})}
	p.network, p.address = pgconn.NetworkAddress(server.Host, server.Port)
	go p.serve(t.Context(), listener)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Down()
	})
	return p
}

// through returns the URL of a database by way of an address, and without TLS.
func through(t testing.TB, text string, address net.Addr) string {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host = address.String()
	query := parsed.Query()
	query.Set("sslmode", "disable")
	parsed.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // libpq takes a + for a +
	return parsed.String()
}

// Down cuts all connections and refuses new ones, until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for l := range p.lines {
		l.close()
	}
}

// Up lets connections through again.
func (p *Proxy) Up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *Proxy) serve(ctx context.Context, listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // the test has ended
		}
		go p.pass(ctx, client)
	}
}

// pass serves one connection.
func (p *Proxy) pass(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, p.network, p.address)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &line{proxy: p, client: client, server: server}
	defer l.close()
	if !p.add(l) {
		return
	}
	defer p.remove(l)
	l.run()
}

func (p *Proxy) add(l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	p.lines[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
}
