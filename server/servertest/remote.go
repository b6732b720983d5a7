package servertest

import (
	"net/http"
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth/authtest"
)

// RemoteAudience is what the remote issuer calls this service.
const RemoteAudience = "clients.example.com"

// Remote is a server that trusts a remote issuer only.
type Remote struct {
	*Server

	Issuer *authtest.Issuer
	Key    authtest.Key
	Weak   authtest.Key // published too, and not to be used
}

// StartRemote starts both, and waits until the keys are loaded.
func StartRemote(t *testing.T) Remote {
	t.Helper()
	key := authtest.NewKey(t, "key-1")
	weak := authtest.NewKeyOfSize(t, "weak", 1024)
	r := Remote{Issuer: authtest.NewIssuer(t, key, weak), Key: key, Weak: weak}
	r.Start(t)
	r.WaitUntilReady(t)
	return r
}

func (r *Remote) Start(t *testing.T) {
	t.Helper()
	r.Server = Start(t, func(c *server.Config) {
		c.Issuers, c.Audience = []server.TrustedIssuer{{URL: r.Issuer.URL}}, RemoteAudience
	})
}

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

// Sign makes a token for reading, good but for the claims and header given.
func (r *Remote) Sign(t *testing.T, claims, header map[string]any) string {
	t.Helper()
	good := authtest.Claims(r.Issuer.URL, RemoteAudience, time.Now())
	good["scope"] = ScopeRead
	return r.Key.Sign(t, authtest.With(good, claims), header)
}

func Claim(name string, value any) map[string]any { return map[string]any{name: value} }

// ChangeByte replaces one character of base64 by another.
func ChangeByte(token string, at int) string {
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}
