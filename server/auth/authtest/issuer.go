package authtest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// The paths an Issuer serves.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	MetadataPath  = "/.well-known/oauth-authorization-server"
	KeysPath      = "/.well-known/jwks.json"
)

// Issuer is an HTTP server that publishes signing keys and, by OpenID Connect
// Discovery, where they are.
type Issuer struct {
	// URL is the name of the issuer: the `iss` of its tokens.
	URL string

	mu       sync.Mutex
	answers  map[string]http.Handler
	requests map[string]int
}

// NewIssuer starts an issuer that publishes the keys until the test ends.
func NewIssuer(tb testing.TB, keys ...Key) *Issuer {
	tb.Helper()
	i := &Issuer{answers: map[string]http.Handler{}, requests: map[string]int{}}
	server := httptest.NewServer(i)
	tb.Cleanup(server.Close)
	i.URL = server.URL
	i.Publish(tb, keys...)
	i.AnswerJSON(tb, DiscoveryPath, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + KeysPath})
	return i
}

// Publish replaces the key set.
func (i *Issuer) Publish(tb testing.TB, keys ...Key) {
	tb.Helper()
	set := make([]any, 0, len(keys))
	for _, key := range keys {
		set = append(set, key.JWK())
	}
	i.AnswerJSON(tb, KeysPath, map[string]any{"keys": set})
}

// AnswerJSON makes the path answer with this document.
func (i *Issuer) AnswerJSON(tb testing.TB, path string, document any) {
	tb.Helper()
	body := Marshal(tb, document)
	i.Answer(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

// Answer makes the path answer as the function does.
func (i *Issuer) Answer(path string, answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[path] = answer
}

// Requests returns how often the path was asked for.
func (i *Issuer) Requests(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[path]
}

// ServeHTTP counts the request and gives the answer set for its path, or 404.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	answer, ok := i.answers[r.URL.Path]
	i.requests[r.URL.Path]++
	i.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer.ServeHTTP(w, r)
}
