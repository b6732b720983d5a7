package auth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/auth"
)

func TestWithoutATokenAnyRequestIsA401(t *testing.T) {
	t.Parallel()
	good := goodToken(t, map[string]any{"scope": auth.ScopeVerify})
	tests := map[string]struct{ method, target, contentType, body string }{
		"a browser's GET":        {http.MethodGet, verifyPath, "", ""},
		"a HEAD of a procedure":  {http.MethodHead, verifyPath, "", ""},
		"plain text":             {http.MethodPost, verifyPath, "text/plain", "{}"},
		"no content type":        {http.MethodPost, verifyPath, "", "{}"},
		"a form":                 {http.MethodPost, verifyPath, "application/x-www-form-urlencoded", "access_token=" + good},
		"JSON":                   {http.MethodPost, verifyPath, "application/json", "{}"},
		"JSON that is malformed": {http.MethodPost, verifyPath, "application/json", "{"},
		"a token in the query":   {http.MethodPost, verifyPath + "?access_token=" + url.QueryEscape(good), "application/json", "{}"},
		"the public procedure under another path":   {http.MethodPost, "/x" + getPublicClients, "application/json", "{}"},
		"the public procedure and a slash":          {http.MethodPost, getPublicClients + "/", "application/json", "{}"},
		"the public procedure with doubled slashes": {http.MethodPost, "/" + getPublicClients, "application/json", "{}"},
		"the public procedure behind a guarded one": {http.MethodPost, verifyPath + getPublicClients, "application/json", "{}"},
		"the public procedure through dots":         {http.MethodPost, verifyPath + "/../.." + getPublicClients, "application/json", "{}"},
		"the public procedure in small letters":     {http.MethodPost, strings.ToLower(getPublicClients), "application/json", "{}"},
		"a path that nothing serves":                {http.MethodGet, "/favicon.ico", "", ""},
	}
	handler := newHandler(t, newConfig(t))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(t.Context(), tt.method, tt.target, strings.NewReader(tt.body))
			req.Header.Set("Content-Type", tt.contentType)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, req)
			wantUnauthorised(t, answer)
		})
	}
}

func wantUnauthorised(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	if answer.Code != http.StatusUnauthorized {
		t.Errorf("got status %d, want 401", answer.Code)
	}
	if got := answer.Header().Get("WWW-Authenticate"); got != bareChallenge {
		t.Errorf("got challenge %q, want %q", got, bareChallenge)
	}
	var got map[string]string
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatalf("body %q: %v", answer.Body, err)
	}
	want := map[string]string{"code": "unauthenticated", "message": noTokenMessage}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestWithoutATokenAStreamEndsWithTheError(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, verifyPath, strings.NewReader(""))
	req.Header.Set("Content-Type", "application/connect+json")
	answer := httptest.NewRecorder()
	newHandler(t, newConfig(t)).ServeHTTP(answer, req)
	if !strings.Contains(answer.Body.String(), `"code":"unauthenticated"`) {
		t.Errorf("got status %d and body %q, want an end of stream with the error", answer.Code, answer.Body)
	}
}

func TestWithoutATokenTheBodyIsNotRead(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/json", "application/proto", "application/grpc", "application/grpc-web+proto", "text/plain"} {
		body := io.NopCloser(readFunc(func([]byte) (int, error) {
			t.Errorf("%s: the body was read", contentType)
			return 0, io.EOF
		}))
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, verifyPath, body)
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Content-Encoding", "gzip")
		newHandler(t, newConfig(t)).ServeHTTP(httptest.NewRecorder(), req)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
