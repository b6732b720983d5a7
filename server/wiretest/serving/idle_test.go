package serving_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/servertest"
)

// The server ends a connection on which nobody calls, over HTTP/1.1 and HTTP/2.
func TestIdleTimeout_ClosesConnection(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.IdleTimeout = 100 * time.Millisecond })
	for name, version2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan error, 1)
			client := clientOf(nil, version2)
			transport, _ := client.Transport.(*http.Transport)
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return watchedConn{conn, closed}, err
			}
			response, err := client.Get(s.URL + "/livez")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			select {
			case err := <-closed:
				if !errors.Is(err, io.EOF) {
					t.Errorf("got error %v", err)
				}
			case <-time.After(30 * time.Second): // half of the default
				t.Error("the connection is still open")
			}
		})
	}
}

// watchedConn reports the error that ends the reading.
type watchedConn struct {
	net.Conn

	closed chan error
}

func (c watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.closed <- err
	}
	return n, err
}
