package auth_test

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"time"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

const (
	issuer   = "https://issuer.example.com/tenant"
	audience = "https://clients.example.com"
)

// now is what the verifiers of these tests believe the time to be.
var now = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

var sharedKeys struct {
	once           sync.Once
	trusted, rogue authtest.Key
}

// trustedKey is the key of the issuer.
func trustedKey(tb testing.TB) authtest.Key {
	tb.Helper()
	makeSharedKeys(tb)
	return sharedKeys.trusted
}

// rogueKey is a key of an attacker who calls it what the issuer calls its own.
func rogueKey(tb testing.TB) authtest.Key {
	tb.Helper()
	makeSharedKeys(tb)
	return sharedKeys.rogue
}

func makeSharedKeys(tb testing.TB) {
	tb.Helper()
	sharedKeys.once.Do(func() {
		sharedKeys.trusted = authtest.NewKey(tb, "key-1")
		sharedKeys.rogue = authtest.NewKey(tb, "key-1")
	})
}

// keysOf is a key function that knows these keys.
func keysOf(keys ...authtest.Key) func(context.Context, auth.KeyRef) (crypto.PublicKey, error) {
	return func(_ context.Context, ref auth.KeyRef) (crypto.PublicKey, error) {
		for _, key := range keys {
			if key.ID == ref.ID {
				return key.Public(), nil
			}
		}
		return nil, auth.ErrUnknownKey
	}
}

// newConfig trusts the trusted key at the time now.
func newConfig(tb testing.TB) auth.Config {
	tb.Helper()
	return auth.Config{
		Issuers:  []auth.Issuer{{Name: issuer, Key: keysOf(trustedKey(tb))}},
		Audience: audience,
		Now:      func() time.Time { return now },
	}
}

func newVerifier(tb testing.TB, cfg auth.Config) *auth.Verifier {
	tb.Helper()
	verifier, err := auth.NewVerifier(cfg)
	if err != nil {
		tb.Fatalf("NewVerifier: %v", err)
	}
	return verifier
}

// goodClaims are the claims of a token that is accepted, changed by over.
func goodClaims(over map[string]any) map[string]any {
	return authtest.With(authtest.Claims(issuer, audience, now), over)
}

// goodToken has the good claims, changed by over.
func goodToken(tb testing.TB, over map[string]any) string {
	tb.Helper()
	return trustedKey(tb).Sign(tb, goodClaims(over), nil)
}

// wantTokenError fails the test unless the token was refused for this reason.
func wantTokenError(t *testing.T, principal *auth.Principal, err error, description string) {
	t.Helper()
	var refused *auth.TokenError
	if !errors.As(err, &refused) {
		t.Fatalf("got %+v and error %v, want a TokenError", principal, err)
	}
	if refused.Description != description {
		t.Errorf("got description %q, want %q", refused.Description, description)
	}
	if principal != nil {
		t.Errorf("got %+v beside the error", principal)
	}
}

// authenticated returns a context of a caller with these scopes.
func authenticated(tb testing.TB, scopes string) context.Context {
	tb.Helper()
	token := goodToken(tb, map[string]any{"scope": scopes})
	principal, err := newVerifier(tb, newConfig(tb)).Verify(tb.Context(), token)
	if err != nil {
		tb.Fatalf("Verify: %v", err)
	}
	return auth.WithPrincipal(tb.Context(), principal)
}
