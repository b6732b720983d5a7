package server_test

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
	"clientsd/server/servertest"
)

// The scopes that the other faces have of their own, and all that any needs.
const (
	appWrite     = "project.app.write"
	clientManage = "client:manage"
)

var faceScopes = append([]string{appWrite, clientManage}, servertest.All...)

// A way is one way to rotate a secret: a face, and how it is spoken to.
type way struct {
	name, face string
	scopes     []string // any of them will do
	rotate     func(t testing.TB, s *servertest.Server, c attempt) (secret string, refused told)
	says       func(refusal) told
}

// An attempt is a rotation as its caller wants it.
type attempt struct {
	token, clientID string
	header          []string // in pairs of name and value
}

// ways are those of the two faces beside the main one.
func ways() []way {
	list := []way{
		{"Vigilo, /client/", "vigilo", []string{clientManage}, overVigilo("/client/"), vigiloSays},
		{"Vigilo, /clients/", "vigilo", []string{clientManage}, overVigilo("/clients/"), vigiloSays},
		{"ZITADEL, REST", "zitadel", []string{manage, appWrite}, overREST, restSays},
	}
	for _, protocol := range servertest.Protocols() {
		list = append(list, way{"ZITADEL, " + protocol.Name, "zitadel", []string{manage, appWrite}, overRPC(protocol), rpcSays})
	}
	return list
}

// eachWay runs body once for each way.
func eachWay(t *testing.T, body func(*testing.T, way)) {
	t.Helper()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) { body(t, w) })
	}
}

// mustRotate fails the test if the rotation does.
func (w way) mustRotate(t testing.TB, s *servertest.Server, c attempt) (secret string) {
	t.Helper()
	secret, refused := w.rotate(t, s, c)
	if secret == "" {
		t.Fatalf("%s: refused: %+v", w.name, refused)
	}
	return secret
}

// wantRefused fails the test unless the rotation is refused, and in these words.
func (w way) wantRefused(t testing.TB, s *servertest.Server, c attempt, want refusal) {
	t.Helper()
	_, got := w.rotate(t, s, c)
	if diff := cmp.Diff(w.says(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", w.name, diff)
	}
}

// application is the application of the clients in the fixtures.
const application = "app_prod_myapp"

func restPath(project, app string) string {
	return "/management/v1/projects/" + project + "/apps/" + app + "/oidc_config/_generate_client_secret"
}

func overREST(t testing.TB, s *servertest.Server, c attempt) (string, told) {
	t.Helper()
	got := ask(t, s, http.MethodPost, restPath(application, c.clientID), c.token, "{}", c.header...)
	return secretOr(t, got, "clientSecret")
}

func overVigilo(prefix string) func(testing.TB, *servertest.Server, attempt) (string, told) {
	return func(t testing.TB, s *servertest.Server, c attempt) (string, told) {
		t.Helper()
		got := ask(t, s, http.MethodPost, prefix+c.clientID+"/regenerate-secret", c.token, "", c.header...)
		return secretOr(t, got, "client_secret")
	}
}

func secretOr(t testing.TB, got reply, field string) (string, told) {
	t.Helper()
	body := object(t, []byte(got.body))
	if got.status != http.StatusOK {
		return "", told{got.status, got.header.Get("Www-Authenticate"), body}
	}
	secret, _ := body[field].(string)
	return secret, told{}
}

func overRPC(protocol servertest.Protocol) func(testing.TB, *servertest.Server, attempt) (string, told) {
	return func(t testing.TB, s *servertest.Server, c attempt) (string, told) {
		t.Helper()
		ctx, info := connect.NewClientContext(t.Context())
		for i := 0; i < len(c.header); i += 2 {
			info.RequestHeader().Set(c.header[i], c.header[i+1])
		}
		answer, err := s.Management(protocol, c.token).RegenerateOIDCClientSecret(ctx,
			&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: application, AppId: c.clientID})
		var refused *connect.Error
		if errors.As(err, &refused) {
			return "", told{Challenge: refused.Meta().Get("Www-Authenticate"), Body: statusBody(t, refused)}
		}
		if err != nil {
			t.Errorf("no answer: %v", err)
		}
		return answer.GetClientSecret(), told{}
	}
}

// overMain is the main face, for tests of all faces together.
func overMain(t testing.TB, s *servertest.Server, c attempt) (string, told) {
	t.Helper()
	answer, err := s.Clients(over, c.token).RegenerateSecret(t.Context(),
		&apiv1.RegenerateSecretRequest{ClientId: c.clientID, IncludeSecret: true})
	if err != nil {
		t.Errorf("main face: %v", err)
	}
	return answer.GetClientSecret(), told{}
}

// ask sends a request to a REST face, and fails the test unless the answer has
// the form that all of them have. The header comes in pairs of name and value.
func ask(t testing.TB, s *servertest.Server, method, path, token, body string, header ...string) reply {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request := newCall(t, s, path, token, content)
	request.Method = method
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, answer := servertest.Do(t, request)
	got := reply{response.StatusCode, response.Header, string(bytes.TrimSpace(answer))}
	wantForm(t, method+" "+path, got)
	return got
}

// wantForm fails the test unless an answer is one of a REST face.
func wantForm(t testing.TB, request string, got reply) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Type": "application/json", "X-Content-Type-Options": "nosniff",
	} {
		if values := got.header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s: got %s %q, want %q", request, name, values, want)
		}
	}
	if got.header.Get(reqctx.IDHeader) == "" {
		t.Errorf("%s: the answer has no id", request)
	}
	wantNoLeak(t, got)
}

// wantAnswer fails the test unless an answer has this status and exactly these
// members, with values of these types.
func wantAnswer(t testing.TB, got reply, status int, body string) {
	t.Helper()
	if diff := cmp.Diff(object(t, []byte(body)), object(t, []byte(got.body))); diff != "" || got.status != status {
		t.Errorf("got status %d, want %d; body (-want +got):\n%s", got.status, status, diff)
	}
}
