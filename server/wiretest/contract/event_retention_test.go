package contract_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

// months is how long ago the old events of these tests were.
const months = 100 * 24 * time.Hour

// eventLines returns the events of a client, the newest first.
func eventLines(t *testing.T, s *servertest.Server, protocol servertest.Protocol, id string) (lines []string) {
	t.Helper()
	token := s.Token(t, servertest.ScopeRead)
	for _, event := range listEvents(t, s, protocol, token, &clientsdv1.ListClientEventsRequest{ClientId: id}).GetEvents() {
		kind := strings.ToLower(strings.TrimPrefix(event.GetKind().String(), "CLIENT_EVENT_KIND_"))
		lines = append(lines, fmt.Sprint(kind, " ", event.GetSecretVersion()))
	}
	return lines
}

// oldHistories makes clients whose events are months old, and one new event. It
// returns the events that each has once a server keeps events for 30 days, and the
// four secrets of the first client and the one of a deleted client.
func oldHistories(t *testing.T, s *servertest.Server) (remain map[string][]string, secrets []string) {
	t.Helper()
	rotated, public, deleted := s.Create(t, servertest.Request()), s.Create(t, servertest.PublicRequest()), s.Create(t, servertest.Request())
	secrets = []string{rotated.GetClientSecret()}
	for range 3 {
		secrets = append(secrets, s.Rotate(t, rotated.GetClientId()))
	}
	clients := s.ClientsService(t)
	if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: deleted.GetClientId()}); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "UPDATE client_events SET at = ?", time.Now().Add(-months).UTC())
	s.Exec(t, "UPDATE oauth_clients SET secret_created_at = ? WHERE has_secret", time.Now().Add(-months+time.Hour).UTC())
	for _, id := range []string{rotated.GetClientId(), public.GetClientId()} {
		if _, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true}); err != nil {
			t.Fatal(err)
		}
	}
	return map[string][]string{
		rotated.GetClientId(): {"secret_read 4", "secret_rotated 4", "secret_rotated 3"},
		public.GetClientId():  nil,
		deleted.GetClientId(): nil,
	}, append(secrets, deleted.GetClientSecret())
}

func TestEventRetention_ListClientEvents(t *testing.T) {
	s := servertest.Start(t)
	remain, secrets := oldHistories(t, s)
	s.Stop(t)
	watched := servertest.StartWatched(t, servertest.InDir(s.Dir), func(c *server.Config) { c.EventRetention = 30 * 24 * time.Hour })
	watched.Want(t, "clientsd_expired_rows_deleted_total", map[string]float64{`{table="client_events"}`: 5})
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		for id, want := range remain {
			if diff := cmp.Diff(want, eventLines(t, watched.Server, protocol, id)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		}
	})
	finder := watched.Secrets(servertest.ConnectJSON, watched.Token(t, servertest.ScopeRead, servertest.ScopeVerify))
	for i, want := range []clientsdv1.SecretState{0, 0, clientsdv1.SecretState_SECRET_STATE_ENDED, clientsdv1.SecretState_SECRET_STATE_CURRENT, 0} {
		found, err := finder.FindSecret(t.Context(), &clientsdv1.FindSecretRequest{Secret: secrets[i]})
		if found.GetState() != want || (want == 0) != (connect.CodeOf(err) == connect.CodeNotFound) {
			t.Errorf("secret %d: got %v, error %v, want %v", i+1, found.GetState(), err, want)
		}
	}
}

func TestEventRetention_ForEverByDefault(t *testing.T) {
	s := servertest.Start(t)
	remain, _ := oldHistories(t, s)
	for id := range maps.Keys(remain) {
		remain[id] = eventLines(t, s, servertest.ConnectJSON, id)
	}
	s.Exec(t, `INSERT INTO idempotency_keys (key, request, client_id, secret_version, created_at)
		SELECT secret_digest, secret_digest, id, 1, secret_created_at FROM oauth_clients WHERE has_secret`)
	s.Stop(t)
	watched := servertest.StartWatched(t, servertest.InDir(s.Dir))
	watched.Want(t, "clientsd_expired_rows_deleted_total", map[string]float64{`{table="idempotency_keys"}`: 1}) // it has looked
	for id, want := range remain {
		if diff := cmp.Diff(want, eventLines(t, watched.Server, servertest.ConnectJSON, id)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	}
	for series := range watched.Scrape(t) {
		if strings.Contains(series, "client_events") {
			t.Errorf("it looks for old events: %s", series)
		}
	}
}
