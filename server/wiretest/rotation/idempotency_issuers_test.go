package rotation_test

import (
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

// Who has the same name at another issuer is somebody else: a key of theirs must not
// show them the secret that the first has received.
func TestIdempotencyKey_SameSubjectOfTwoIssuers(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	issuers := []*authtest.Issuer{authtest.NewIssuer(t, key), authtest.NewIssuer(t, key)}
	s := servertest.Start(t, func(c *server.Config) {
		c.Audience = servertest.RemoteAudience
		for _, issuer := range issuers {
			c.Issuers = append(c.Issuers, server.TrustedIssuer{URL: issuer.URL})
		}
	})
	for answer := []byte(nil); string(answer) != "ok\n"; _, answer = s.Get(t, "/readyz") {
		time.Sleep(time.Millisecond)
	}
	token := func(issuer *authtest.Issuer) string {
		claims := authtest.Claims(issuer.URL, servertest.RemoteAudience, time.Now())
		claims["scope"] = servertest.ScopeManage
		return key.Sign(t, claims, nil)
	}
	id := s.CreateAs(t, token(issuers[0]), servertest.Request()).GetClientId()
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		secrets := map[string]bool{}
		for _, issuer := range issuers {
			clients := s.Clients(protocol, token(issuer))
			first := servertest.RotateWithKey(t, clients, "key over "+protocol.Name, servertest.RotateRequest(id))
			again := servertest.RotateWithKey(t, clients, "key over "+protocol.Name, servertest.RotateRequest(id))
			servertest.WantSameMessage(t, first, again)
			secrets[first.GetClientSecret()] = true
		}
		if len(secrets) != 2 {
			t.Error("the caller of the second issuer was given the secret of the first")
		}
	})
}
