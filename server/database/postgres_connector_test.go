//go:build linux

package database_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"clientsd/server/database"
	"clientsd/server/tx"
)

// silentPort is a port of loopback at which no connection is ever accepted: its
// backlog is full, and the kernel drops what comes, as Linux does.
func silentPort(t *testing.T) (port string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // nothing is lost
	if err := errors.Join(
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		syscall.Listen(fd, 0),
	); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	inet4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("a socket of another kind: %T", name)
	}
	port = strconv.Itoa(inet4.Port)
	fillBacklog(t, port)
	return port
}

// fillBacklog connects until nobody answers any more.
func fillBacklog(t *testing.T, port string) {
	t.Helper()
	for range 16 {
		conn, err := (&net.Dialer{Timeout: 300 * time.Millisecond}).DialContext(t.Context(), "tcp4", "127.0.0.1:"+port)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() }) // nothing is lost
	}
	t.Fatal("the backlog is never full")
}

// The error says whose time is over: the caller's, or ours for a server
// that does not answer.
func TestConnector_DeadlineOrConnectTimeout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		patience time.Duration
		tries    int
		deadline bool
	}{
		// Whether pgx hears of the deadline when it does is chance.
		"the caller": {20 * time.Millisecond, 50, true},
		"we do":      {time.Minute, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := database.Postgres{URL: database.URL(fmt.Sprintf(
				"postgres://postgres@127.0.0.1:%s/clients?sslmode=disable&connect_timeout=1", silentPort(t),
			))}
			for range tt.tries {
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				_, err := database.OpenPostgres(ctx, config)
				cancel()
				if errors.Is(err, context.DeadlineExceeded) != tt.deadline {
					t.Errorf("the caller's deadline: want %v, got: %v", tt.deadline, err)
				}
				if (database.Classify(err) == tx.Unavailable) == tt.deadline {
					t.Errorf("unavailable: want %v, got: %v", !tt.deadline, err)
				}
			}
		})
	}
}
