package issuers_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

const (
	// burst is how many failures are answered as such at a rate of one a second.
	burst = 10

	malformed = "the access token is not a well-formed signed JWT"
	expired   = "the access token has expired"
	tooMany   = "too many bad access tokens came from this address: wait before the next"
)

var throttled = answer{Status: http.StatusTooManyRequests, Code: "resource_exhausted", Message: tooMany, RetryAfter: "1"}

// startOneASecond starts a server that answers one failure a second as such.
func startOneASecond(t *testing.T) (*servertest.Server, *clock) {
	t.Helper()
	clock, option := byHand()
	return servertest.Start(t, option, func(c *server.Config) { c.FailureRate = 1 }), clock
}

// A client library asks for a new token when it reads 401, and only then.
func TestFailures_ExpiredTokenIsNeverThrottled(t *testing.T) {
	s, clock := startOneASecond(t)
	old := s.Mint(t, issuer.Grant{Scopes: servertest.All, TTL: time.Hour})
	issued := clock.now()
	clock.set(issued.Add(2 * time.Hour))

	t.Run("it does not count", func(t *testing.T) {
		for range 3 * burst {
			wantAnswer(t, s, old, refused(expired))
		}
		wantAnswer(t, s, "garbage", refused(malformed))
	})
	t.Run("it is refused as expired beside garbage", func(t *testing.T) {
		for range burst {
			call(t, s, "garbage")
		}
		wantAnswer(t, s, "garbage", throttled)
		for range 3 * burst {
			wantAnswer(t, s, old, refused(expired))
		}
	})
	t.Run("in every protocol", func(t *testing.T) {
		for _, protocol := range servertest.Protocols() {
			if got := codeOf(t, s, protocol, old); got != connect.CodeUnauthenticated {
				t.Errorf("%s: got %v", protocol.Name, got)
			}
		}
	})
	t.Run("over the other APIs", func(t *testing.T) {
		for _, path := range []string{
			"/management/v1/projects/p/apps/00000000-0000-4000-8000-000000000000/oidc_config/_generate_client_secret",
			"/clients/00000000-0000-4000-8000-000000000000/regenerate-secret",
		} {
			if response, body := s.PostJSON(t, path, old, "{}"); response.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), expired) {
				t.Errorf("%s: got %s: %s", path, response.Status, body)
			}
		}
	})
	t.Run("nor is one that is not valid yet", func(t *testing.T) {
		clock.set(issued.Add(-time.Minute))
		for range 2 * burst {
			wantAnswer(t, s, old, refused("the access token is not valid yet"))
		}
	})
	t.Run("one whose signature was changed counts", func(t *testing.T) {
		clock.set(issued.Add(3 * time.Hour))
		forged := old[:strings.LastIndex(old, ".")+1] + strings.Repeat("A", 342)
		for range burst {
			wantAnswer(t, s, forged, refused("the signature of the access token is wrong"))
		}
		wantAnswer(t, s, forged, throttled)
	})
}

// tenant verifies secrets for one organisation.
type tenant struct {
	*servertest.Server

	token string
}

func newTenant(t *testing.T, s *servertest.Server, organisation string) tenant {
	t.Helper()
	return tenant{s, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: organisation})}
}

// verify is what VerifySecret answers: whether the secret is valid, or a code.
func (c tenant) verify(t *testing.T, client *apiv1.Client, secret string) string {
	t.Helper()
	got, err := c.Secrets(over, c.token).VerifySecret(t.Context(),
		&clientsdv1.VerifySecretRequest{ClientId: client.GetClientId(), Secret: secret})
	if err != nil {
		return connect.CodeOf(err).String()
	}
	return strconv.FormatBool(got.GetValid())
}

func TestFailures_OneOrganisationDoesNotSpendThoseOfAnother(t *testing.T) {
	s, _ := startOneASecond(t)
	owner, attacker := newTenant(t, s, "acme"), newTenant(t, s, "evil")
	attacked, other := s.CreateAs(t, owner.token, servertest.Request()), s.CreateAs(t, owner.token, servertest.Request())
	const invalid, bounded = "false", "resource_exhausted"
	for range burst {
		if got := attacker.verify(t, attacked, "guess"); got != invalid {
			t.Errorf("a guess of another organisation: got %s", got)
		}
	}
	for _, step := range []struct {
		name   string
		who    tenant
		client *apiv1.Client
		secret string
		want   string
	}{
		{"the attacker has spent its own", attacker, attacked, "guess", bounded},
		{"at another client, from its address, too", attacker, other, "guess", bounded},
		{"the owner has not", owner, attacked, "guess", invalid},
		{"nor for its other client", owner, other, "guess", invalid},
		{"the right secret is always right", owner, attacked, attacked.GetClientSecret(), "true"},
		{"and never the attacker's to have", attacker, attacked, attacked.GetClientSecret(), bounded},
	} {
		if got := step.who.verify(t, step.client, step.secret); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}
