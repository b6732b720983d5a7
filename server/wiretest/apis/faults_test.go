package apis_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

var internal = servertest.Refusal{Code: connect.CodeInternal, Message: servertest.InternalError}

// wantErrors fails the test unless the log tells of so many errors, each with
// its cause.
func wantErrors(t *testing.T, s *servertest.Server, want int, cause string) {
	t.Helper()
	got := 0
	for line := range strings.SplitSeq(s.Logs.String(), "\n") {
		if strings.Contains(line, `"level":"ERROR"`) {
			got++
			if !strings.Contains(line, cause) || !strings.Contains(line, `"request_id":"call-17"`) {
				t.Errorf("the log does not tell the cause and the call: %s", line)
			}
		}
	}
	if got != want {
		t.Errorf("the log tells of %d errors, want %d:\n%s", got, want, s.Logs)
	}
}

// call17 has an id that the log must name.
func call17(token, clientID string) servertest.Attempt {
	return servertest.Attempt{Token: token, ClientID: clientID, Header: []string{"X-Request-Id", "call-17"}}
}

// A rotation that cannot be recorded must not happen, whatever the API.
func TestInternalError_InWordsOfTheAPI(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	before := s.Row(t, made.GetClientId())
	s.Exec(t, "DROP TABLE client_events")
	for _, w := range servertest.Ways() {
		w.WantRefused(t, s, call17(s.Token(t, servertest.AllAPIs...), made.GetClientId()), internal)
	}
	servertest.WantSameRow(t, before, s.Row(t, made.GetClientId()))
	s.WantOnlySecret(t, made.GetClientId(), 1, made.GetClientSecret())
	wantErrors(t, s, len(servertest.Ways()), servertest.MissingTable("client_events"))
}

func TestPanic_InWordsOfTheAPI(t *testing.T) {
	clock := &servertest.Fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.Now })
	made := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.AllAPIs...)
	before := s.Row(t, made.GetClientId())
	for _, w := range servertest.Ways() {
		clock.Light(2) // the first to read it checks the token, the second rotates
		w.WantRefused(t, s, call17(token, made.GetClientId()), internal)
	}
	servertest.WantSameRow(t, before, s.Row(t, made.GetClientId()))
	wantErrors(t, s, len(servertest.Ways()), "the clock at /etc/localtime broke")
	for _, w := range servertest.Ways() {
		w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: made.GetClientId()})
	}
}

func TestDeadline_InWordsOfTheAPI(t *testing.T) {
	first := servertest.Start(t)
	made := first.Create(t, servertest.Request())
	first.Stop(t)
	s := servertest.Start(t, servertest.InDir(first.Dir), func(c *server.Config) { c.Timeout = time.Nanosecond })
	before := s.Row(t, made.GetClientId())
	for _, w := range servertest.Ways() {
		w.WantRefused(t, s, call17(s.Token(t, servertest.AllAPIs...), made.GetClientId()),
			servertest.Refusal{Code: connect.CodeDeadlineExceeded, Message: "the deadline of the call has passed"})
	}
	servertest.WantSameRow(t, before, s.Row(t, made.GetClientId()))
	wantErrors(t, s, 0, "")
}

func TestUnreachableIssuer_InWordsOfTheAPI(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	s := servertest.Remote{Issuer: authtest.NewIssuer(t), Key: key}
	s.Issuer.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.Start(t)
	for _, w := range servertest.Ways() {
		w.WantRefused(t, s.Server, servertest.Attempt{Token: s.Sign(t, nil, nil), ClientID: "x"},
			servertest.Refusal{Code: connect.CodeUnavailable, Message: "the keys of the token issuer are not available"})
	}
}

// The bound of concurrent calls is one for all APIs, and is no error of ours.
func TestTooManyCalls_InWordsOfTheAPI(t *testing.T) {
	s := servertest.Start(t, servertest.OneCallAtATime)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.AllAPIs...)
	for _, path := range []string{"/client/" + id + "/regenerate-secret", servertest.ZitadelPath(servertest.Application, id)} {
		release := s.Hold(t, id, func() bool {
			return s.CallREST(t, http.MethodPost, path, token, "{}").Status == http.StatusServiceUnavailable
		})
		for _, w := range servertest.Ways() {
			w.WantRefused(t, s, servertest.Attempt{Token: token, ClientID: id}, servertest.Refusal{Code: connect.CodeUnavailable, Message: servertest.TooManyCalls})
		}
		if got := s.CallREST(t, http.MethodPost, path, token, ""); got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: got Retry-After %q", path, got.Header.Get("Retry-After"))
		}
		release()
	}
	s.WantHistory(t, id, 3)
	wantErrors(t, s, 0, "")
}

func TestBadBody_RotatesNothing(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.AllAPIs...)
	before := s.Row(t, id)
	rest, vigilo := servertest.ZitadelPath(servertest.Application, id), "/client/"+id+"/regenerate-secret"
	for _, size := range []int{servertest.MaxMessage + 2<<10, 4 << 20} {
		servertest.WantJSON(t, s.CallREST(t, http.MethodPost, rest, token, string(servertest.PaddedJSON(size))),
			http.StatusTooManyRequests, `{"code": 8, "message": "max buffer size (65536) exceeded", "details": []}`)
		servertest.WantJSON(t, s.CallREST(t, http.MethodPost, vigilo, token, string(servertest.PaddedJSON(size))),
			http.StatusRequestEntityTooLarge, `{"error": "invalid_request", "error_description": "the request body is too large or breaks off"}`)
	}
	for path, want := range map[string]int{rest: http.StatusBadRequest, vigilo: http.StatusRequestEntityTooLarge} {
		got := s.SendAndEnd(t, strings.Replace(servertest.RawPost(path, "{}", servertest.JSONType, "Authorization: Bearer "+token), "Content-Length: 2", "Content-Length: 9", 1))
		servertest.WantRESTForm(t, path, got)
		if got.Status != want {
			t.Errorf("%s: a body that breaks off: got status %d, want %d: %s", path, got.Status, want, got.Body)
		}
	}
	servertest.WantSameRow(t, before, s.Row(t, id))
	s.WantCalm(t)
}
