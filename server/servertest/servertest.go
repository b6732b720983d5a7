// Package servertest runs the real server on a real database, for tests. Nothing in
// it is a mock: a test goes through the front door with generated clients or raw
// HTTP, and looks at the result there or in the database. Package storagetest says
// which database it is.
//
// It owns what tests of several packages share: starting and calling a server,
// clients to register, and checks of errors, events and rows. It knows no test.
// A test begins with Start:
//
//	s := servertest.Start(t)
//	made := s.Create(t, servertest.Request())
//	secret := s.Rotate(t, made.GetClientId())
//	s.WantOnlySecret(t, made.GetClientId(), 2, secret, made.GetClientSecret())
package servertest

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// All is every scope of ClientsService and SecretsService but admin, for tests that
// are about something else.
var All = []string{auth.ScopeManage, auth.ScopeRead, auth.ScopeVerify}

// A Server is a running service.
type Server struct {
	// URL is where it is reached.
	URL string
	// Dir is its data folder.
	Dir string
	// Logs is what it has logged, at debug level.
	Logs *Logs

	server  *server.Server
	storage storage.Config
	stop    func() error
}

// Start runs a service until the test ends. Each option may change its
// configuration.
func Start(t testing.TB, options ...func(*server.Config)) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), Logs: &Logs{}}
	config := server.Config{
		Addr:         "127.0.0.1:0",
		SecretPrefix: "sk_live_",
		FailureRate:  100_000, // tests fail a lot
		Storage:      storage.Config{Dir: s.Dir, Create: true},
		Log:          slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, option := range options {
		option(&config)
	}
	s.Dir = config.Storage.Dir
	if config.Storage.KeysetFile == "" && config.Storage.KeysetContent == "" && config.Storage.Postgres.URL == "" {
		copyFirstRun(t, s.Dir)
	}
	config.Storage = storagetest.Config(t, config.Storage)
	s.storage = config.Storage
	s.run(t, config)
	return s
}

// InDir keeps the data in dir, so that a test can start a second server on it.
func InDir(dir string) func(*server.Config) {
	return func(c *server.Config) { c.Storage.Dir = dir }
}

// Stop ends the service as SIGTERM would, and fails the test if it does not end
// well. It may be called more than once.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	// A server gives idle HTTP/2 connections a second to go.
	http2Client.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Errorf("stop server: %v", err)
	}
}

// MetricsURL returns where Prometheus finds the metrics, or empty if it does not.
func (s *Server) MetricsURL() string { return s.server.MetricsURL() }

// Token mints an access token for the default organisation.
func (s *Server) Token(t testing.TB, scopes ...string) string {
	t.Helper()
	return s.Mint(t, issuer.Grant{Scopes: scopes})
}

// Mint mints an access token; what the grant leaves empty is filled in.
func (s *Server) Mint(t testing.TB, grant issuer.Grant) string {
	t.Helper()
	if grant.Subject == "" {
		grant.Subject = "urn:xeonr:serviceaccount:test"
	}
	if grant.Audience == "" {
		grant.Audience = server.DefaultAudience
	}
	if grant.TTL == 0 {
		grant.TTL = time.Hour
	}
	token, err := s.server.Issuer().Mint(context.Background(), grant)
	if err != nil {
		t.Fatalf("mint token: %v", err)
	}
	return token
}

func (s *Server) run(t testing.TB, config server.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if s.server, err = server.New(ctx, config); err != nil {
		cancel()
		t.Fatalf("start server: %v", err)
	}
	s.URL = s.server.URL()
	ended := make(chan error, 1)
	go func() { ended <- s.server.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { s.Stop(t) })
}

// Logs collects what a server logs. It is safe for concurrent use.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the logs.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything logged so far.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ReservedAddr returns a loopback address that nobody listens on and that nobody
// else is given while the test runs. It holds the same port of 127.0.0.1, which the
// kernel therefore gives to nobody, on an address that nothing else uses.
func ReservedAddr(t testing.TB) string {
	t.Helper()
	held, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() }) // nothing was sent to it
	_, port, err := net.SplitHostPort(held.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.77", port)
}
