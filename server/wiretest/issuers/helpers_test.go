// Package issuers tests, through the front door, which tokens of which issuers
// the server accepts, what it answers while an issuer cannot be asked, and whose
// failures are counted.
//
// It owns no rule: server/auth does. It must know the server by its flags, its
// configuration and its answers only.
package issuers_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

const (
	// audience is what the issuers of these tests call this service.
	audience = "clients.example.com"

	listClients = "/xeonr.auth.api.v1.ClientsService/ListClients"
)

// over speaks the protocol of tests that are not about the protocol.
var over = servertest.Protocols()[0]

// clock is a clock that a test sets.
type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) set(t time.Time) { c.at.Store(&t) }

func (c *clock) now() time.Time { return *c.at.Load() }

// byHand gives a server a clock that stands until it is set.
func byHand() (*clock, func(*server.Config)) {
	c := &clock{}
	c.set(time.Now().Truncate(time.Second))
	return c, func(config *server.Config) { config.Clock = c.now }
}

// answer is what a caller reads of a call.
type answer struct {
	Status     int
	Code       string
	Message    string
	RetryAfter string
}

// call lists clients with the token, as curl would.
func call(t *testing.T, s *servertest.Server, token string) answer {
	t.Helper()
	response, body := s.PostJSON(t, listClients, token, "{}")
	got := answer{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After")}
	if response.StatusCode == http.StatusOK {
		return got
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return got
}

// refused is the answer to a bad token.
func refused(message string) answer {
	return answer{Status: http.StatusUnauthorized, Code: "unauthenticated", Message: message}
}

// wantAnswer fails the test unless a call with the token is answered so.
func wantAnswer(t *testing.T, s *servertest.Server, token string, want answer) {
	t.Helper()
	if got := call(t, s, token); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// codeOf is the code with which ListClients is answered in a protocol.
func codeOf(t *testing.T, s *servertest.Server, protocol servertest.Protocol, token string) connect.Code {
	t.Helper()
	_, err := s.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	var refusal *connect.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("%s: got error %v, want a refusal", protocol.Name, err)
	}
	return refusal.Code()
}

// get fetches a path of the server.
func get(t *testing.T, s *servertest.Server, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, text := servertest.Do(t, request)
	return response.StatusCode, strings.TrimSpace(string(text))
}

// issuerOf is the iss of a token, unverified.
func issuerOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Issuer
}
