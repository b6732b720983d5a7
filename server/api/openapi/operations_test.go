package openapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

const rpcOfZITADEL = managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure

func TestScopes_AreThoseOfTheRules(t *testing.T) {
	rules, got := auth.NewRules(""), map[string][][]string{}
	want := map[string][][]string{
		"/management/v1/projects/{project_id}/apps/{app_id}/oidc_config/_generate_client_secret": rules[rpcOfZITADEL].Alternatives(),
		"/clients/{client_id}/regenerate-secret":                                                 {{auth.ScopeClientManage}},
		"/client/{client_id}/regenerate-secret":                                                  {{auth.ScopeClientManage}},
	}
	for procedure, rule := range rules {
		want[procedure] = rule.Alternatives()
	}
	for _, o := range operations(load(t)) {
		got[o.path] = o.scopes()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-rules +document):\n%s", diff)
	}
}

// caller sends requests to every operation of a document.
type caller struct {
	*servertest.Server

	document node
	client   string
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	s := servertest.Start(t)
	return &caller{Server: s, document: load(t), client: s.Create(t, servertest.Request()).GetClientId()}
}

// scoped returns a token that was issued to the client, with these scopes.
func (c *caller) scoped(t *testing.T, scopes ...string) string {
	t.Helper()
	return c.Mint(t, issuer.Grant{Scopes: scopes, ClientID: c.client})
}

// send calls an operation and returns the HTTP status and the body.
func (c *caller) send(t *testing.T, o operation, token, key string) (int, string) {
	t.Helper()
	path := strings.NewReplacer("{client_id}", c.client, "{app_id}", c.client, "{project_id}", servertest.Request().GetApplicationId()).Replace(o.path)
	request, err := http.NewRequestWithContext(t.Context(), o.method, c.URL+path, strings.NewReader(c.message(t, o.path)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, body := servertest.Do(t, request)
	return response.StatusCode, string(body)
}

// message returns the body of a request, which breaks no rule but where its
// answer does not matter.
func (c *caller) message(t *testing.T, path string) string {
	t.Helper()
	switch {
	case path == apiv1connect.ClientsServiceCreateClientProcedure:
		message := servertest.Request()
		message.IsVerified = false
		body, err := protojson.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	case path == rpcOfZITADEL:
		return fmt.Sprintf(`{"projectId": %q, "appId": %q}`, servertest.Request().GetApplicationId(), c.client)
	case path == clientsdv1connect.SecretsServiceFindSecretProcedure:
		return `{"secret": "x"}`
	case strings.HasSuffix(path, "Clients"):
		return `{}`
	case strings.Contains(path, "Service/"):
		return fmt.Sprintf(`{"clientId": %q}`, c.client)
	default:
		return ""
	}
}

func TestScopes_AllowTheOperation(t *testing.T) {
	c := newCaller(t)
	for _, o := range operations(c.document) {
		if strings.HasSuffix(o.path, "/DeleteClient") {
			continue // would end the test; its rule is that of UpdateClient
		}
		var named []string
		for _, scopes := range o.scopes() {
			named = append(named, scopes...)
			if status, body := c.send(t, o, c.scoped(t, scopes...), ""); status == http.StatusUnauthorized || status == http.StatusForbidden {
				t.Errorf("%s with %v: %d %s", o.path, scopes, status, body)
			}
		}
		if len(named) == 0 {
			continue
		}
		others := slices.DeleteFunc(auth.Scopes(), func(scope string) bool { return slices.Contains(named, scope) })
		if status, body := c.send(t, o, c.scoped(t, others...), ""); status != http.StatusForbidden {
			t.Errorf("%s without any of %v: %d %s", o.path, named, status, body)
		}
	}
}

func TestIdempotencyKey_IsDescribedWhereItActs(t *testing.T) {
	c := newCaller(t)
	token, tooLong := c.scoped(t, auth.Scopes()...), strings.Repeat("k", 256)
	for _, o := range operations(c.document) {
		if strings.HasSuffix(o.path, "/DeleteClient") {
			continue // would end the test
		}
		status, body := c.send(t, o, token, tooLong)
		acts := status == http.StatusBadRequest && strings.Contains(body, "Idempotency-Key")
		if described := slices.Contains(o.headers(c.document), "Idempotency-Key"); described != acts {
			t.Errorf("%s: described is %t, but the answer to a key that is too long is %d %s", o.path, described, status, body)
		}
	}
}
