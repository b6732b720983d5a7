package postgres_test

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
	r := servertest.Remote{Key: authtest.NewKey(t, "key-1")}
	r.Issuer = authtest.NewIssuer(t, r.Key)
	config, dir := storagetest.Postgres(t), t.TempDir()
	start := func(wrong time.Duration) *servertest.Server {
		r.Server = servertest.Start(t, onPostgres(dir, config), func(c *server.Config) {
			c.Issuers, c.Audience = []server.TrustedIssuer{{URL: r.Issuer.URL}}, servertest.RemoteAudience
			c.Clock = func() time.Time { return time.Now().Add(wrong) }
		})
		r.WaitUntilReady(t)
		return r.Server
	}
	now := time.Now()
	token = r.Sign(t, map[string]any{
		"scope": servertest.ScopeManage + " " + servertest.ScopeVerify, "iat": now.Add(-2 * skew).Unix(), "nbf": now.Add(-2 * skew).Unix(), "exp": now.Add(2 * skew).Unix(),
	}, nil)
	return start(skew), start(-skew), token
}

func TestReplicas_ClocksDiffer(t *testing.T) {
	t.Parallel()
	const overlap = 30 * time.Minute
	ahead, behind, token := startSkewed(t)
	replicas := map[string]*servertest.Server{"ahead": ahead, "behind": behind}
	stored := ahead.Database(t)
	for name, s := range replicas {
		t.Run("a rotation by the one "+name, func(t *testing.T) {
			before := s.CreateAs(t, token, servertest.Request())
			request := servertest.RotateRequest(before.GetClientId())
			request.PreviousSecretValidFor = durationpb.New(overlap)
			after, err := s.Clients(servertest.ConnectJSON, token).RegenerateSecret(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if end := after.GetPreviousSecretExpiresAt().AsTime(); end.Sub(time.Now().Add(overlap)).Abs() > skew/4 {
				t.Errorf("the previous secret ends at %v", end)
			}
			wantMatchOnAll(t, replicas, token, before.GetClientId(), before.GetClientSecret(), servertest.MatchPrevious)
			endOverlap(t, stored, before.GetClientId())
			wantMatchOnAll(t, replicas, token, before.GetClientId(), before.GetClientSecret(), servertest.MatchNone)
			wantMatchOnAll(t, replicas, token, before.GetClientId(), after.GetClientSecret(), servertest.MatchCurrent)
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
		answer, err := s.Secrets(servertest.ConnectJSON, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: clientID, Secret: secret})
		if err != nil || answer.GetMatched() != want {
			t.Errorf("the one %s: got %v, error %v, want %v", name, answer.GetMatched(), err, want)
		}
	}
}
