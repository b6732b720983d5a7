package server_test

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

var internal = refusal{code: connect.CodeInternal, message: internalError}

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
func call17(token, clientID string) attempt {
	return attempt{token, clientID, []string{"X-Request-Id", "call-17"}}
}

// A rotation that cannot be recorded must not happen, whatever the face.
func TestAFaultOfOursIsToldInTheWordsOfTheFaceAndChangesNothing(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	before := s.Row(t, made.GetClientId())
	exec(t, s, "DROP TABLE client_events")
	for _, w := range ways() {
		w.wantRefused(t, s, call17(s.Token(t, faceScopes...), made.GetClientId()), internal)
	}
	wantSameRow(t, before, s.Row(t, made.GetClientId()))
	wantOnlySecret(t, s, made.GetClientId(), 1, made.GetClientSecret())
	wantErrors(t, s, len(ways()), isGone("client_events"))
}

func TestAPanicIsToldInTheWordsOfTheFaceAndChangesNothing(t *testing.T) {
	clock := &fuse{}
	s := servertest.Start(t, func(c *server.Config) { c.Clock = clock.now })
	made := s.Create(t, servertest.Request())
	token := s.Token(t, faceScopes...)
	before := s.Row(t, made.GetClientId())
	for _, w := range ways() {
		clock.light(2) // the first to read it checks the token, the second rotates
		w.wantRefused(t, s, call17(token, made.GetClientId()), internal)
	}
	wantSameRow(t, before, s.Row(t, made.GetClientId()))
	wantErrors(t, s, len(ways()), "the clock at /etc/localtime broke")
	for _, w := range ways() {
		w.mustRotate(t, s, attempt{token: token, clientID: made.GetClientId()})
	}
}

func TestADeadlineThatPassesIsNoErrorOfOursOnAnyFace(t *testing.T) {
	first := servertest.Start(t)
	made := first.Create(t, servertest.Request())
	first.Stop(t)
	s := servertest.Start(t, servertest.InDir(first.Dir), func(c *server.Config) { c.Timeout = time.Nanosecond })
	before := s.Row(t, made.GetClientId())
	for _, w := range ways() {
		w.wantRefused(t, s, call17(s.Token(t, faceScopes...), made.GetClientId()),
			refusal{code: connect.CodeDeadlineExceeded, message: "the deadline of the call has passed"})
	}
	wantSameRow(t, before, s.Row(t, made.GetClientId()))
	wantErrors(t, s, 0, "")
}

func TestAnIssuerThatCannotBeReachedIsToldInTheWordsOfTheFace(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	s := remote{issuer: authtest.NewIssuer(t), key: key}
	s.issuer.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.start(t)
	for _, w := range ways() {
		w.wantRefused(t, s.Server, attempt{token: s.sign(t, nil, nil), clientID: "x"},
			refusal{code: connect.CodeUnavailable, message: "the keys of the token issuer are not available"})
	}
}

// The bound of calls at once is one for all faces, and is no error of ours.
func TestACallTooManyIsToldToComeBackInTheWordsOfTheFace(t *testing.T) {
	s := servertest.Start(t, oneCallAtATime)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, faceScopes...)
	for _, path := range []string{"/client/" + id + "/regenerate-secret", restPath(application, id)} {
		slow := startSlowly(t, s.URL, path, token, "{}")
		for _, w := range ways() {
			w.wantRefused(t, s, attempt{token: token, clientID: id}, refusal{code: connect.CodeUnavailable, message: tooManyCalls})
		}
		if got := ask(t, s, http.MethodPost, path, token, ""); got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: got Retry-After %q", path, got.header.Get("Retry-After"))
		}
		slow.finish(t)
		for isBusy(t, s.URL) { // its place is free only after its answer was sent
			time.Sleep(time.Millisecond)
		}
	}
	wantHistory(t, s, id, 3)
	wantErrors(t, s, 0, "")
}

func TestABodyThatIsTooLargeOrBreaksOffRotatesNothing(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, faceScopes...)
	before := s.Row(t, id)
	rest, vigilo := restPath(application, id), "/client/"+id+"/regenerate-secret"
	for _, size := range []int{maxMessage + 2<<10, 4 << 20} {
		wantAnswer(t, ask(t, s, http.MethodPost, rest, token, string(padded(size))),
			http.StatusTooManyRequests, `{"code": 8, "message": "max buffer size (65536) exceeded", "details": []}`)
		wantAnswer(t, ask(t, s, http.MethodPost, vigilo, token, string(padded(size))),
			http.StatusRequestEntityTooLarge, `{"error": "invalid_request", "error_description": "the request body is too large or breaks off"}`)
	}
	for path, want := range map[string]int{rest: http.StatusBadRequest, vigilo: http.StatusRequestEntityTooLarge} {
		got := sendAndEnd(t, s, strings.Replace(httpPost(path, "{}", jsonType, "Authorization: Bearer "+token), "Content-Length: 2", "Content-Length: 9", 1))
		wantForm(t, path, got)
		if got.status != want {
			t.Errorf("%s: a body that breaks off: got status %d, want %d: %s", path, got.status, want, got.body)
		}
	}
	wantSameRow(t, before, s.Row(t, id))
	wantCalm(t, s)
}
