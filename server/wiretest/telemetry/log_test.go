package telemetry_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"clientsd/ent/clientevent"
	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// logged stops a server and returns the lines of its log with a message.
func logged(t *testing.T, s *servertest.Server, message string) (lines []map[string]any) {
	t.Helper()
	s.Stop(t)
	for text := range strings.Lines(s.Logs.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if line["msg"] == message {
			delete(line, "msg")
			delete(line, "time")
			lines = append(lines, line)
		}
	}
	return lines
}

// change does everything that is an event of a client, and more that is not.
func change(t *testing.T, s *servertest.Server) {
	t.Helper()
	token := s.Token(t, servertest.AllAPIs...)
	clients, secrets := s.Clients(servertest.ConnectJSON, token), s.Secrets(servertest.GRPC, token)
	id := s.Create(t, servertest.Request()).GetClientId()
	s.Create(t, servertest.PublicRequest())
	s.UploadLogo(t, id)
	for range 2 { // the second one shows the secret only
		servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id))
	}
	s.RotateWithOverlap(t, id, time.Hour)
	_, updated := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: proto.String("Renamed")})
	_, unchanged := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id})
	_, read := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
	_, shown := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
	_, revoked := secrets.RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id})
	_, again := secrets.RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id})
	_, refused := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id, ExpectedSecretVersion: proto.Int64(99)})
	for _, w := range servertest.Ways() {
		w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: id})
	}
	_, deleted := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id})
	for _, err := range []error{updated, unchanged, read, shown, revoked, again, deleted} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if refused == nil {
		t.Error("a rotation of another version is not refused")
	}
}

// A change that is not in the log, or a line about what has not happened, would
// mislead an operator.
func TestLog_OneLineForEachEvent(t *testing.T) {
	s := servertest.Start(t)
	change(t, s)
	got := logged(t, s, "client event")
	events, err := s.Database(t).Read.ClientEvent.Query().Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[clientevent.Kind]bool{}
	var want []map[string]any
	for _, e := range events {
		kinds[e.Kind] = true
		want = append(want, map[string]any{
			"level": "INFO", "kind": string(e.Kind), "client": e.ClientID.String(), "secret_version": float64(e.SecretVersion), "secret_released": e.SecretReleased,
			"issuer": e.ActorIssuer, "subject": "urn:xeonr:serviceaccount:test", "organisation": "default", "address": "127.0.0.1", "api": e.API,
			"request_id": e.RequestID,
		})
	}
	ignored := cmpopts.IgnoreMapEntries(func(name string, _ any) bool { return name == "trace_id" || name == "span_id" })
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Errorf("lines (-events +log):\n%s", diff)
	}
	if len(kinds) != 7 || len(events) < 10 {
		t.Errorf("the test makes %d events of the kinds %v only", len(events), kinds)
	}
}

// A line has the route: the path may hold a secret.
func TestLog_OneLineForEachRequest(t *testing.T) {
	s := servertest.Start(t)
	token, header := s.Token(t, servertest.All...), traced()
	s.CallREST(t, http.MethodPost, servertest.ClientsPath+"ListClients", token, "{}", header...)
	s.CallREST(t, http.MethodPost, servertest.FindSecretPath, token, `{"secret": "free-text"}`, header...)
	for _, path := range []string{"/logos/free-text/b.png", "/client/free-text/regenerate-secret", "/nothing/free-text"} {
		s.Get(t, path, header...)
	}
	got := logged(t, s, "request")
	for _, line := range got {
		if took, ok := line["took"].(float64); !ok || took <= 0 {
			t.Errorf("took %v", line["took"])
		}
		delete(line, "took")
	}
	line := func(api, method, code string, status float64) map[string]any {
		return map[string]any{
			"level": "DEBUG", "api": api, "method": method, "code": code, "status": status, "address": "127.0.0.1", "request_id": "call-17",
		}
	}
	want := []map[string]any{
		line("xeonr", "xeonr.auth.api.v1.ClientsService/ListClients", "ok", 200),
		line("clientsd", "clientsd.v1.SecretsService/FindSecret", "invalid_argument", 400),
		line("none", "/logos/{client}/{file}", "not_found", 404),
		line("vigilo", "/clients/{client_id}/regenerate-secret", "unimplemented", 405),
		line("none", "unknown", "unimplemented", 404),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if strings.Contains(s.Logs.String(), "free-text") {
		t.Errorf("the log repeats what a caller sent:\n%s", s.Logs)
	}
}
