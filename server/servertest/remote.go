package servertest

import (
	"net/http"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth/authtest"
)

// RemoteAudience is the audience of tokens from a remote issuer.
const RemoteAudience = "clients.example.com"

// A Remote is a server that trusts a remote issuer only. The test is that issuer.
type Remote struct {
	*Server

	Issuer *authtest.Issuer
	Key    authtest.Key
	Weak   authtest.Key // published too, and too short to be trusted
}

// StartRemote starts the issuer and the server, and waits until the server has
// loaded the keys.
func StartRemote(t *testing.T) Remote {
	t.Helper()
	key := authtest.NewKey(t, "key-1")
	weak := authtest.NewKeyOfSize(t, "weak", 1024)
	r := Remote{Issuer: authtest.NewIssuer(t, key, weak), Key: key, Weak: weak}
	r.Start(t)
	r.WaitUntilReady(t)
	return r
}

// Start starts the server, for a test that has made the issuer itself.
func (r *Remote) Start(t *testing.T) {
	t.Helper()
	r.Server = Start(t, func(c *server.Config) {
		c.Issuers, c.Audience = []server.TrustedIssuer{{URL: r.Issuer.URL}}, RemoteAudience
	})
}

// WaitUntilReady waits until /readyz says that the keys are loaded.
func (r *Remote) WaitUntilReady(t *testing.T) {
	t.Helper()
	for range 1000 {
		if response, _ := r.Get(t, "/readyz"); response.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the server is not ready:\n%s", r.Logs)
}

// Sign returns a good token with the scope to read, changed by these claims and
// header parameters. A nil value leaves one out.
func (r *Remote) Sign(t *testing.T, claims, header map[string]any) string {
	t.Helper()
	good := authtest.Claims(r.Issuer.URL, RemoteAudience, time.Now())
	good["scope"] = ScopeRead
	return r.Key.Sign(t, authtest.With(good, claims), header)
}

// ChangeByte returns a text in base64 with another character in one place.
func ChangeByte(token string, at int) string {
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}
