package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

// fuse is a clock that breaks when it is read for the n-th time from now.
type fuse struct{ left atomic.Int64 }

func (f *fuse) light(n int64) { f.left.Store(n) }

func (f *fuse) now() time.Time {
	if f.left.Add(-1) == 0 {
		panic("the clock at /etc/localtime broke: SELECT now()") // what these tests are about
	}
	return time.Now()
}

func TestAPanicInAHandlerIsAnInternalErrorAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	clock := &fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.now })
	token := s.Token(t, servertest.All...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		rpc := s.Clients(protocol, token)
		clock.light(2) // the first to read it is who checks the token, the second who writes the client
		_, err := rpc.CreateClient(t.Context(), servertest.Request())
		wantError(t, err, connect.CodeInternal, internalError)

		list, err := rpc.ListClients(t.Context(), &apiv1.ListClientsRequest{})
		if err != nil || len(list.GetClients()) != 0 {
			t.Errorf("got %d clients and error %v, want none", len(list.GetClients()), err)
		}
	})
	s.Create(t, servertest.Request())
	if n := strings.Count(s.Logs.String(), `"level":"ERROR","msg":"handler panicked"`); n != len(servertest.Protocols()) {
		t.Errorf("the logs tell of %d panics, want %d:\n%s", n, len(servertest.Protocols()), s.Logs)
	}
	if !strings.Contains(s.Logs.String(), "the clock at /etc/localtime broke") {
		t.Error("the logs do not tell the cause")
	}
}

// What comes before a handler knows no protocol to answer in.
func TestAPanicBeforeAHandlerIsAnsweredAndEndsNothingElse(t *testing.T) {
	t.Parallel()
	clock := &fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.now })
	rpc := s.Clients(over, s.Token(t, read))
	clock.light(1)
	_, err := rpc.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	wantError(t, err, connect.CodeUnknown, "500 Internal Server Error")
	if _, err := rpc.ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if !strings.Contains(s.Logs.String(), "the clock at /etc/localtime broke") {
		t.Errorf("the logs do not tell the cause:\n%s", s.Logs)
	}
}

func TestAFaultOfTheDatabaseIsToldToTheLogOnly(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.All...)
	exec(t, s, "ALTER TABLE oauth_clients RENAME TO gone")
	exec(t, s, "ALTER TABLE client_events RENAME TO gone_too")
	operations := operations(t)
	for _, o := range operations {
		got := rawAnswer(t, s, o, token, client.GetClientId(), client.GetClientSecret())
		wantNoLeak(t, got)
		if refusal := object(t, []byte(got.body)); got.status != http.StatusInternalServerError ||
			refusal["code"] != "internal" || refusal["message"] != internalError {
			t.Errorf("%s: got status %d: %s", o, got.status, got.body)
		}
	}
	logs := s.Logs.String()
	if n := strings.Count(logs, isGone("oauth_clients")) + strings.Count(logs, isGone("client_events")); n != len(operations) {
		t.Errorf("the logs tell of %d faults, want %d:\n%s", n, len(operations), logs)
	}
}
