package serving_test

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

func TestPanic_InsideHandler(t *testing.T) {
	t.Parallel()
	clock := &servertest.Fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.Now })
	token := s.Token(t, servertest.All...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		rpc := s.Clients(protocol, token)
		clock.Light(2) // the first to read it is who checks the token, the second who writes the client
		_, err := rpc.CreateClient(t.Context(), servertest.Request())
		servertest.WantError(t, err, connect.CodeInternal, servertest.InternalError)

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
func TestPanic_BeforeHandler(t *testing.T) {
	t.Parallel()
	clock := &servertest.Fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.Now })
	rpc := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeRead))
	clock.Light(1)
	_, err := rpc.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	servertest.WantError(t, err, connect.CodeUnknown, "500 Internal Server Error")
	if _, err := rpc.ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if !strings.Contains(s.Logs.String(), "the clock at /etc/localtime broke") {
		t.Errorf("the logs do not tell the cause:\n%s", s.Logs)
	}
}

func TestDatabaseFault_OnlyInTheLog(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.All...)
	s.Exec(t, "ALTER TABLE oauth_clients RENAME TO gone")
	s.Exec(t, "ALTER TABLE client_events RENAME TO gone_too")
	operations := servertest.Operations(t)
	for _, o := range operations {
		got := s.PostOperation(t, o, token, client.GetClientId(), client.GetClientSecret())
		servertest.WantNoLeak(t, got)
		if refusal := servertest.Object(t, []byte(got.Body)); got.Status != http.StatusInternalServerError ||
			refusal["code"] != "internal" || refusal["message"] != servertest.InternalError {
			t.Errorf("%s: got status %d: %s", o, got.Status, got.Body)
		}
	}
	logs := s.Logs.String()
	if n := strings.Count(logs, servertest.MissingTable("oauth_clients")) + strings.Count(logs, servertest.MissingTable("client_events")); n != len(operations) {
		t.Errorf("the logs tell of %d faults, want %d:\n%s", n, len(operations), logs)
	}
}
