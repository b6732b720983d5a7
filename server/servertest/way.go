package servertest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/server/reqctx"
)

// VigiloPath returns the path at which Vigilo rotates a client.
func VigiloPath(id string) string { return "/client/" + id + "/regenerate-secret" }

// A Way is one way to rotate a secret: an API over one of its protocols.
type Way struct {
	Name, API string
	Scopes    []string // each of them allows it; the smallest first
	// Rotate returns either the new secret or the refusal.
	Rotate func(t testing.TB, s *Server, c Attempt) (secret string, refused WireRefusal)
	// Render returns a refusal in the words of the API.
	Render func(Refusal) WireRefusal
}

// An Attempt is a rotation as its caller asks for it.
type Attempt struct {
	Token, ClientID string
	Header          []string // in pairs of name and value
}

// Ways returns all ways of the ZITADEL and Vigilo APIs.
func Ways() []Way {
	list := []Way{
		{"Vigilo, /client/", "vigilo", []string{ScopeClientManage}, OverVigilo("/client/"), RenderVigilo},
		{"Vigilo, /clients/", "vigilo", []string{ScopeClientManage}, OverVigilo("/clients/"), RenderVigilo},
		{"ZITADEL, REST", "zitadel", []string{ScopeAppWrite, ScopeManage}, OverREST, RenderREST},
	}
	for _, protocol := range Protocols() {
		list = append(list, Way{"ZITADEL, " + protocol.Name, "zitadel", []string{ScopeAppWrite, ScopeManage}, OverRPC(protocol), RenderRPC})
	}
	return list
}

// EachWay runs body as a subtest for each way.
func EachWay(t *testing.T, body func(*testing.T, Way)) {
	t.Helper()
	for _, w := range Ways() {
		t.Run(w.Name, func(t *testing.T) { body(t, w) })
	}
}

// MustRotate returns the new secret. The rotation must succeed.
func (w Way) MustRotate(t testing.TB, s *Server, c Attempt) (secret string) {
	t.Helper()
	secret, refused := w.Rotate(t, s, c)
	if secret == "" {
		t.Fatalf("%s: refused: %+v", w.Name, refused)
	}
	return secret
}

// WantRefused fails the test unless the rotation is refused, in the words of the API.
func (w Way) WantRefused(t testing.TB, s *Server, c Attempt, want Refusal) {
	t.Helper()
	_, got := w.Rotate(t, s, c)
	if diff := cmp.Diff(w.Render(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", w.Name, diff)
	}
}

// ZitadelPath returns the path at which ZITADEL rotates an app of a project.
func ZitadelPath(project, app string) string {
	return "/management/v1/projects/" + project + "/apps/" + app + "/oidc_config/_generate_client_secret"
}

// OverREST rotates over ZITADEL's REST API.
func OverREST(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
	t.Helper()
	got := s.CallREST(t, http.MethodPost, ZitadelPath(Application, c.ClientID), c.Token, "{}", c.Header...)
	return secretOr(t, got, "clientSecret")
}

// OverVigilo rotates over Vigilo's API, at a path with this prefix.
func OverVigilo(prefix string) func(testing.TB, *Server, Attempt) (string, WireRefusal) {
	return func(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
		t.Helper()
		got := s.CallREST(t, http.MethodPost, prefix+c.ClientID+"/regenerate-secret", c.Token, "", c.Header...)
		return secretOr(t, got, "client_secret")
	}
}

// secretOr reads a secret or a refusal.
func secretOr(t testing.TB, got Reply, field string) (string, WireRefusal) {
	t.Helper()
	body := Object(t, []byte(got.Body))
	if got.Status != http.StatusOK {
		return "", WireRefusal{got.Status, got.Header.Get("Www-Authenticate"), body}
	}
	secret, _ := body[field].(string)
	return secret, WireRefusal{}
}

// OverRPC rotates over ZITADEL's RPC.
func OverRPC(protocol Protocol) func(testing.TB, *Server, Attempt) (string, WireRefusal) {
	return func(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
		t.Helper()
		ctx, info := connect.NewClientContext(t.Context())
		for i := 0; i < len(c.Header); i += 2 {
			info.RequestHeader().Set(c.Header[i], c.Header[i+1])
		}
		answer, err := s.Management(protocol, c.Token).RegenerateOIDCClientSecret(ctx,
			&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: Application, AppId: c.ClientID})
		var refused *connect.Error
		if errors.As(err, &refused) {
			return "", WireRefusal{Challenge: refused.Meta().Get("Www-Authenticate"), Body: StatusJSON(t, refused)}
		}
		if err != nil {
			t.Errorf("no answer: %v", err)
		}
		return answer.GetClientSecret(), WireRefusal{}
	}
}

// OverXeonr rotates over the main API, for tests that mix all APIs.
func OverXeonr(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
	t.Helper()
	answer, err := s.Clients(ConnectJSON, c.Token).RegenerateSecret(t.Context(),
		&apiv1.RegenerateSecretRequest{ClientId: c.ClientID, IncludeSecret: true})
	if err != nil {
		t.Errorf("main API: %v", err)
	}
	return answer.GetClientSecret(), WireRefusal{}
}

// CallREST sends a request to a REST API, and fails the test unless the answer has
// the form that all of their answers have. The header is in pairs of name and value.
func (s *Server) CallREST(t testing.TB, method, path, token, body string, header ...string) Reply {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request := s.NewRequest(t, path, token, content)
	request.Method = method
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, answer := Do(t, request)
	got := Reply{response.StatusCode, response.Header, string(bytes.TrimSpace(answer))}
	WantRESTForm(t, method+" "+path, got)
	return got
}

// WantRESTForm fails the test unless an answer has the form of all answers of REST
// APIs: its header fields, and nothing that leaks.
func WantRESTForm(t testing.TB, request string, got Reply) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Type": "application/json", "X-Content-Type-Options": "nosniff",
	} {
		if values := got.Header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s: got %s %q, want %q", request, name, values, want)
		}
	}
	if got.Header.Get(reqctx.IDHeader) == "" {
		t.Errorf("%s: the answer has no id", request)
	}
	WantNoLeak(t, got)
}

// WantJSON fails the test unless an answer has this status, and this JSON object as
// its body.
func WantJSON(t testing.TB, got Reply, status int, body string) {
	t.Helper()
	if diff := cmp.Diff(Object(t, []byte(body)), Object(t, []byte(got.Body))); diff != "" || got.Status != status {
		t.Errorf("got status %d, want %d; body (-want +got):\n%s", got.Status, status, diff)
	}
}
