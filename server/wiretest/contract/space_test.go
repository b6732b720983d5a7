package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func wantClientLimit(t *testing.T, err error, limit int) {
	t.Helper()
	servertest.WantError(t, err, connect.CodeResourceExhausted, fmt.Sprintf(
		"the organisation has as many clients as it may have, %d: delete one, or ask the operator for more (--max-clients-per-organisation)", limit))
	servertest.WantErrorInfo(t, err, &errdetails.ErrorInfo{
		Reason: "CLIENT_LIMIT_REACHED", Domain: "clientsd", Metadata: map[string]string{"maxClients": strconv.Itoa(limit)},
	})
}

func atMost(clients int) func(*server.Config) {
	return func(c *server.Config) { c.MaxClientsPerOrganisation = clients }
}

func TestCreateClient_LimitOfAnOrganisation(t *testing.T) {
	s := servertest.Start(t, atMost(2))
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		organisation := strings.ReplaceAll(strings.ToLower(protocol.Name), " ", "-")
		clients := s.Clients(protocol, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: organisation}))
		create := func(key string) (string, error) {
			answer, err := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), key), servertest.Request())
			return answer.GetClient().GetClientId(), err
		}
		first, firstErr := create("first")
		_, secondErr := create("second")
		if firstErr != nil || secondErr != nil {
			t.Fatalf("got errors %v, %v", firstErr, secondErr)
		}
		_, err := clients.CreateClient(t.Context(), servertest.PublicRequest())
		wantClientLimit(t, err, 2)
		if again, err := create("first"); err != nil || again != first {
			t.Errorf("a repeated call: got client %s, error %v, want %s", again, err, first)
		}
		if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: first}); err != nil {
			t.Fatal(err)
		}
		if _, err = create("third"); err != nil {
			t.Errorf("after a deletion: %v", err)
		}
		_, err = create("fourth")
		wantClientLimit(t, err, 2)
	})
}

func TestCreateClient_ConcurrentOnesStayInTheLimit(t *testing.T) {
	const limit, callers = 5, 24
	s := servertest.Start(t, atMost(limit))
	clients := s.ClientsService(t)
	errs := make([]error, callers)
	servertest.Concurrently(callers, func(i int) {
		ctx := t.Context()
		if i%2 == 1 {
			ctx = servertest.WithIdempotencyKeys(ctx, fmt.Sprint("caller ", i))
		}
		_, errs[i] = clients.CreateClient(ctx, servertest.Request())
	})
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
			continue
		}
		wantClientLimit(t, err, limit)
	}
	list, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || created != limit || len(list.GetClients()) != limit {
		t.Errorf("%d calls succeeded, there are %d clients, error %v; want %d", created, len(list.GetClients()), err, limit)
	}
}

// configs returns bindings, each with an object of so many bytes of JSON.
func configs(sizes ...int) []any {
	bindings := make([]any, len(sizes))
	for i, size := range sizes {
		config := map[string]any{"x": strings.Repeat("<", size-len(`{"x":""}`))}
		bindings[i] = map[string]any{"applicationId": fmt.Sprint("app", i), "config": map[string]any{"jsonConfig": config}}
	}
	return bindings
}

func TestJSONConfig_SizeIsBounded(t *testing.T) {
	const limit = 16 << 10
	refusal := func(size int) string {
		return fmt.Sprintf("must have no more than %d bytes of jsonConfig in all, counted as JSON without white space: these have %d", limit, size)
	}
	s := servertest.Start(t)
	id := s.Create(t, servertest.PublicRequest()).GetClientId()
	for _, tt := range []limitOf{
		{"one of the largest size", configs(limit), ""},
		{"one that is too large", configs(limit + 1), refusal(limit + 1)},
		{"three of the largest size together", configs(limit/2, limit/4, limit/4), ""},
		{"three that are too large together", configs(limit/2, limit/4, limit/4+1), refusal(limit + 1)},
		{"many that are small", configs(slicesOf(100, 160)...), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			created := servertest.Object(t, []byte(bareRequest))
			created["applicationBindings"] = tt.bindings
			for method, body := range map[string]map[string]any{
				"CreateClient": created,
				"UpdateClient": {"clientId": id, "applicationBindings": tt.bindings},
			} {
				text, err := json.MarshalIndent(body, "", "  ") // white space does not count
				if err != nil {
					t.Fatal(err)
				}
				response, answer := s.PostJSON(t, servertest.ClientsPath+method, s.Token(t, servertest.All...), strings.ReplaceAll(string(text), `\u003c`, "<"))
				if tt.refusal != "" {
					wantRefusal(t, response, answer, "application_bindings", tt.refusal)
				} else if response.StatusCode != http.StatusOK {
					t.Errorf("%s: got %s: %.300s", method, response.Status, answer)
				}
			}
		})
	}
}

type limitOf struct {
	name     string
	bindings []any
	refusal  string // empty: none
}

func slicesOf(n, value int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = value
	}
	return list
}

// Whatever an organisation has too much of, its secrets can be rotated.
func TestRotation_NeverRefusedForSpace(t *testing.T) {
	dir := t.TempDir()
	before := servertest.Start(t, servertest.InDir(dir))
	ids := []string{before.Create(t, servertest.Request()).GetClientId(), before.Create(t, servertest.Request()).GetClientId()}
	config, err := json.Marshal([]any{map[string]any{"application_id": "a", "has_config": true, "json_config": map[string]any{"x": strings.Repeat("x", 20<<10)}}})
	if err != nil {
		t.Fatal(err)
	}
	before.Exec(t, "UPDATE oauth_clients SET application_bindings = ?, application_id = ?", string(config), servertest.Application)
	before.Stop(t)
	s := servertest.Start(t, servertest.InDir(dir), atMost(1))
	clients := s.ClientsService(t)
	_, err = clients.CreateClient(t.Context(), servertest.Request())
	wantClientLimit(t, err, 1)
	versions := int64(1)
	for _, w := range append(servertest.Ways(), servertest.Way{Name: "RegenerateSecret", Rotate: servertest.OverXeonr}) {
		for _, id := range ids {
			w.MustRotate(t, s, servertest.Attempt{Token: s.Token(t, servertest.AllAPIs...), ClientID: id})
		}
		versions++
	}
	for _, id := range ids {
		s.RotateWithOverlap(t, id, time.Hour)
		s.WantHistory(t, id, versions+1)
		if _, err := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.All...)).RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id}); err != nil {
			t.Errorf("revoke: %v", err)
		}
		if _, err := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: proto.String("Renamed")}); err != nil {
			t.Errorf("rename: %v", err)
		}
	}
}
