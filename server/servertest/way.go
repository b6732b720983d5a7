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

func VigiloPath(id string) string { return "/client/" + id + "/regenerate-secret" }

// A Way is one way to rotate a secret: a face, and how it is spoken to.
type Way struct {
	Name, API string
	Scopes    []string // any of them will do
	Rotate    func(t testing.TB, s *Server, c Attempt) (secret string, refused WireRefusal)
	Render    func(Refusal) WireRefusal
}

// An Attempt is a rotation as its caller wants it.
type Attempt struct {
	Token, ClientID string
	Header          []string // in pairs of name and value
}

// Ways are those of the two faces beside the main one.
func Ways() []Way {
	list := []Way{
		{"Vigilo, /client/", "vigilo", []string{ScopeClientManage}, OverVigilo("/client/"), RenderVigilo},
		{"Vigilo, /clients/", "vigilo", []string{ScopeClientManage}, OverVigilo("/clients/"), RenderVigilo},
		{"ZITADEL, REST", "zitadel", []string{ScopeManage, ScopeAppWrite}, OverREST, RenderREST},
	}
	for _, protocol := range Protocols() {
		list = append(list, Way{"ZITADEL, " + protocol.Name, "zitadel", []string{ScopeManage, ScopeAppWrite}, OverRPC(protocol), RenderRPC})
	}
	return list
}

// EachWay runs body once for each way.
func EachWay(t *testing.T, body func(*testing.T, Way)) {
	t.Helper()
	for _, w := range Ways() {
		t.Run(w.Name, func(t *testing.T) { body(t, w) })
	}
}

// MustRotate fails the test if the rotation does.
func (w Way) MustRotate(t testing.TB, s *Server, c Attempt) (secret string) {
	t.Helper()
	secret, refused := w.Rotate(t, s, c)
	if secret == "" {
		t.Fatalf("%s: refused: %+v", w.Name, refused)
	}
	return secret
}

// WantRefused fails the test unless the rotation is refused, and in these words.
func (w Way) WantRefused(t testing.TB, s *Server, c Attempt, want Refusal) {
	t.Helper()
	_, got := w.Rotate(t, s, c)
	if diff := cmp.Diff(w.Render(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", w.Name, diff)
	}
}

func ZitadelPath(project, app string) string {
	return "/management/v1/projects/" + project + "/apps/" + app + "/oidc_config/_generate_client_secret"
}

func OverREST(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
	t.Helper()
	got := s.Ask(t, http.MethodPost, ZitadelPath(Application, c.ClientID), c.Token, "{}", c.Header...)
	return secretOr(t, got, "clientSecret")
}

func OverVigilo(prefix string) func(testing.TB, *Server, Attempt) (string, WireRefusal) {
	return func(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
		t.Helper()
		got := s.Ask(t, http.MethodPost, prefix+c.ClientID+"/regenerate-secret", c.Token, "", c.Header...)
		return secretOr(t, got, "client_secret")
	}
}

func secretOr(t testing.TB, got Reply, field string) (string, WireRefusal) {
	t.Helper()
	body := Object(t, []byte(got.Body))
	if got.Status != http.StatusOK {
		return "", WireRefusal{got.Status, got.Header.Get("Www-Authenticate"), body}
	}
	secret, _ := body[field].(string)
	return secret, WireRefusal{}
}

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

// OverXeonr is the main face, for tests of all faces together.
func OverXeonr(t testing.TB, s *Server, c Attempt) (string, WireRefusal) {
	t.Helper()
	answer, err := s.Clients(ConnectJSON, c.Token).RegenerateSecret(t.Context(),
		&apiv1.RegenerateSecretRequest{ClientId: c.ClientID, IncludeSecret: true})
	if err != nil {
		t.Errorf("main face: %v", err)
	}
	return answer.GetClientSecret(), WireRefusal{}
}

// Ask sends a request to a REST face, and fails the test unless the answer has
// the form that all of them have. The header comes in pairs of name and value.
func (s *Server) Ask(t testing.TB, method, path, token, body string, header ...string) Reply {
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
	WantForm(t, method+" "+path, got)
	return got
}

// WantForm fails the test unless an answer is one of a REST face.
func WantForm(t testing.TB, request string, got Reply) {
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

// WantAnswer fails the test unless an answer has this status and exactly these
// members, with values of these types.
func WantAnswer(t testing.TB, got Reply, status int, body string) {
	t.Helper()
	if diff := cmp.Diff(Object(t, []byte(body)), Object(t, []byte(got.Body))); diff != "" || got.Status != status {
		t.Errorf("got status %d, want %d; body (-want +got):\n%s", got.Status, status, diff)
	}
}
