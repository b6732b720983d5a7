package server_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// skew is by how much the hosts of two replicas are wrong.
const skew = time.Hour

// startSkewed starts replicas, one with a clock that is ahead and one with a clock
// that is behind, which both accept the token.
func startSkewed(t *testing.T) (ahead, behind *servertest.Server, token string) {
	t.Helper()
	r := remote{key: authtest.NewKey(t, "key-1")}
	r.issuer = authtest.NewIssuer(t, r.key)
	config, dir := storagetest.Postgres(t), t.TempDir()
	start := func(wrong time.Duration) *servertest.Server {
		r.Server = servertest.Start(t, onPostgres(dir, config), func(c *server.Config) {
			c.Issuers, c.Audience = []string{r.issuer.URL}, remoteAudience
			c.Clock = func() time.Time { return time.Now().Add(wrong) }
		})
		r.waitUntilReady(t)
		return r.Server
	}
	now := time.Now()
	token = r.sign(t, map[string]any{
		"scope": manage + " " + verify, "iat": now.Add(-2 * skew).Unix(), "nbf": now.Add(-2 * skew).Unix(), "exp": now.Add(2 * skew).Unix(),
	}, nil)
	return start(skew), start(-skew), token
}

func TestReplicasAgreeOnWhenAPreviousSecretEndsWhateverTheirClocksSay(t *testing.T) {
	t.Parallel()
	const overlap = 30 * time.Minute
	ahead, behind, token := startSkewed(t)
	replicas := map[string]*servertest.Server{"ahead": ahead, "behind": behind}
	stored := ahead.Database(t)
	for name, s := range replicas {
		t.Run("a rotation by the one "+name, func(t *testing.T) {
			before := s.CreateAs(t, token, servertest.Request())
			request := release(before.GetClientId())
			request.PreviousSecretValidFor = durationpb.New(overlap)
			after, err := s.Clients(over, token).RegenerateSecret(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if end := after.GetPreviousSecretExpiresAt().AsTime(); end.Sub(time.Now().Add(overlap)).Abs() > skew/4 {
				t.Errorf("the previous secret ends at %v", end)
			}
			wantMatchOnAll(t, replicas, token, before.GetClientId(), before.GetClientSecret(), previous)
			endOverlap(t, stored, before.GetClientId())
			wantMatchOnAll(t, replicas, token, before.GetClientId(), before.GetClientSecret(), none)
			wantMatchOnAll(t, replicas, token, before.GetClientId(), after.GetClientSecret(), current)
		})
	}
}

// endOverlap lets the previous secret have ended a while ago.
func endOverlap(t *testing.T, stored *database.DB, clientID string) {
	t.Helper()
	ended := time.Now().Add(-skew / 2).UTC().Truncate(time.Microsecond)
	if err := stored.Write.OAuthClient.UpdateOneID(uuid.MustParse(clientID)).SetPreviousSecretExpiresAt(ended).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantMatchOnAll(t *testing.T, replicas map[string]*servertest.Server, token, clientID, secret string, want clientsdv1.SecretMatch) {
	t.Helper()
	for name, s := range replicas {
		answer, err := s.Secrets(over, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: clientID, Secret: secret})
		if err != nil || answer.GetMatched() != want {
			t.Errorf("the one %s: got %v, error %v, want %v", name, answer.GetMatched(), err, want)
		}
	}
}
