package issuers_test

import (
	"testing"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

func TestAlgorithms_AreThoseOfTheIssuer(t *testing.T) {
	keys := []authtest.Key{
		authtest.NewKey(t, "rs"), authtest.NewES256Key(t, "es"), authtest.NewPS256Key(t, "ps"), authtest.NewEdDSAKey(t, "ed"),
	}
	all, rsa := authtest.NewIssuer(t, keys...), authtest.NewIssuer(t, keys...)
	s := servertest.Start(t, trust(all, rsa), func(c *server.Config) { c.Issuers[0].Format.Algorithms = auth.Algorithms() })
	waitUntilReady(t, s)
	eventually(t, "both issuers are there", func() bool {
		_, body := get(t, s, "/readyz")
		return body == "ok"
	})
	for _, key := range keys {
		for range 2 { // the second time from memory
			wantAnswer(t, s, sign(t, all, key, nil), accepted)
		}
		if key.Algorithm() == auth.DefaultAlgorithm {
			wantAnswer(t, s, sign(t, rsa, key, nil), accepted)
		} else {
			wantAnswer(t, s, sign(t, rsa, key, nil), refused("the access token is not signed with RS256"))
		}
	}
	claims := authtest.With(authtest.Claims(all.URL, audience, time.Now()), map[string]any{"scope": auth.ScopeRead})
	const unusable = "the access token is signed with a key of its issuer that is not accepted"
	for name, token := range map[string]string{
		"RS256 with a key for PS256": authtest.Key{ID: "ps", Private: keys[2].Private}.Sign(t, claims, nil),
		"ES256 with a key for EdDSA": keys[1].Sign(t, claims, map[string]any{"kid": "ed"}),
		"EdDSA with a key for RS256": keys[3].Sign(t, claims, map[string]any{"kid": "rs"}),
	} {
		if got := call(t, s, token); got != refused(unusable) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestTokenType_Required(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	strict, lax := authtest.NewIssuer(t, key), authtest.NewIssuer(t, key)
	s := servertest.Start(t, trust(strict, lax), func(c *server.Config) { c.Issuers[0].Format.RequireAccessTokenType = true })
	eventually(t, "both issuers are there", func() bool {
		_, body := get(t, s, "/readyz")
		return body == "ok"
	})
	for _, typ := range []any{nil, "JWT", "at+jwt"} {
		want := accepted
		if typ != "at+jwt" {
			want = refused("the header of the access token does not say that it is one (typ at+jwt)")
		}
		for issuer, want := range map[*authtest.Issuer]answer{strict: want, lax: accepted} {
			token := key.Sign(t, authtest.With(authtest.Claims(issuer.URL, audience, time.Now()), map[string]any{"scope": auth.ScopeRead}), map[string]any{"typ": typ})
			wantAnswer(t, s, token, want)
		}
	}
}

// What one issuer's token may claim, another's may not.
func TestIssuers_EachHasItsOwnFormat(t *testing.T) {
	key := authtest.NewKey(t, "key-1")
	roles, plain := authtest.NewIssuer(t, key), authtest.NewIssuer(t, key)
	s := servertest.Start(t, trust(roles, plain), func(c *server.Config) {
		c.Issuers[0].Audiences = []string{"api://roles"}
		c.Issuers[0].Format = auth.TokenFormat{
			ScopeClaim: "roles", ScopeMap: map[string][]string{"reader": {auth.ScopeRead}}, OrganisationClaim: "tid",
		}
	})
	eventually(t, "both issuers are there", func() bool {
		_, body := get(t, s, "/readyz")
		return body == "ok"
	})
	for _, tt := range []struct {
		name   string
		issuer *authtest.Issuer
		claims map[string]any
		want   answer
	}{
		{"its role", roles, map[string]any{"aud": "api://roles", "roles": []string{"reader"}, "scope": nil}, accepted},
		{"the scope of the other", roles, map[string]any{"aud": "api://roles"}, noScope},
		{"the audience of the other", roles, map[string]any{"roles": []string{"reader"}}, refused("the access token is meant for another audience (claim aud)")},
		{"its scope", plain, nil, accepted},
		{"the role of the other", plain, map[string]any{"scope": nil, "roles": []string{"reader"}}, noScope},
		{"the audience of the first", plain, map[string]any{"aud": "api://roles"}, refused("the access token is meant for another audience (claim aud)")},
	} {
		if got := call(t, s, sign(t, tt.issuer, key, tt.claims)); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
