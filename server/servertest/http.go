package servertest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Paths of our procedures. A method's name follows ClientsPath.
const (
	ClientsPath      = "/xeonr.auth.api.v1.ClientsService/"
	VerifySecretPath = "/clientsd.v1.SecretsService/VerifySecret"
	FindSecretPath   = "/clientsd.v1.SecretsService/FindSecret"
)

// NewRequest returns a POST request with a JSON body. An empty token sends none.
func (s *Server) NewRequest(t testing.TB, procedure, token string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+procedure, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request
}

// Get fetches a path of the server over HTTP/1.1. The header is in pairs of name
// and value.
func (s *Server) Get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	return Do(t, request)
}

// Post calls a procedure with JSON and every scope but admin, and returns the
// answer. The call must succeed.
func (s *Server) Post(t testing.TB, procedure, body string) map[string]any {
	t.Helper()
	return s.PostAs(t, s.Token(t, All...), procedure, body)
}

// PostAs does what Post does, with this token.
func (s *Server) PostAs(t testing.TB, token, procedure, body string) map[string]any {
	t.Helper()
	response, answer := s.PostJSON(t, procedure, token, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s: %s", procedure, body, response.Status, answer)
	}
	return Object(t, answer)
}

// PostJSON sends body as curl would, and returns the answer as it came.
func (s *Server) PostJSON(t testing.TB, procedure, token, body string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+procedure, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Connect-Protocol-Version", "1")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return Do(t, request)
}

// Do sends a request over HTTP/1.1 and reads the whole answer.
func Do(t testing.TB, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := HTTPClient(false).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// HTTPClient speaks HTTP/1.1, or HTTP/2 without TLS.
func HTTPClient(http2 bool) *http.Client {
	if http2 {
		return http2Client
	}
	return http1Client
}

var (
	http1Client = newHTTPClient(false)
	http2Client = newHTTPClient(true)
)

func newHTTPClient(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{
		Transport:     &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 128},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Object parses a JSON object.
func Object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return members
}

// Member returns the object that is a member of another.
func Member(t testing.TB, parent map[string]any, name string) map[string]any {
	t.Helper()
	child, ok := parent[name].(map[string]any)
	if !ok {
		t.Fatalf("member %q is no object in %v", name, parent)
	}
	return child
}
