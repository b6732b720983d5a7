package auth_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"math/big"
	"testing"
	"time"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

func TestVerifyAsksForTheKeyOfAKnownTokenAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key  crypto.PublicKey
		err  error
		want string
	}{
		"a key that was withdrawn":          {nil, auth.ErrUnknownKey, "the access token is signed with a key its issuer does not publish"},
		"another key under the same id":     {&rogueKey(t).Private.PublicKey, nil, "the signature of the access token is wrong"},
		"a copy of the key is the same key": {copyOf(&trustedKey(t).Private.PublicKey), nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, keyErr := trustedKey(t).Public(), error(nil)
			cfg := newConfig(t)
			cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) { return key, keyErr }
			verifier, token := newVerifier(t, cfg), goodToken(t, nil)
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Fatalf("first Verify: %v", err)
			}

			key, keyErr = tt.key, tt.err
			principal, err := verifier.Verify(t.Context(), token)
			if tt.want == "" {
				if err != nil {
					t.Fatalf("second Verify: %v", err)
				}
				return
			}
			wantTokenError(t, principal, err, tt.want)
		})
	}
}

func TestVerifyAsksTheClockForAKnownTokenAgain(t *testing.T) {
	t.Parallel()
	clock := now
	cfg := newConfig(t)
	cfg.Now = func() time.Time { return clock }
	verifier, token := newVerifier(t, cfg), goodToken(t, map[string]any{"nbf": now.Unix() + 30})
	if _, err := verifier.Verify(t.Context(), token); err != nil {
		t.Fatalf("first Verify: %v", err)
	}

	clock = now.Add(time.Hour + 31*time.Second)
	principal, err := verifier.Verify(t.Context(), token)
	wantTokenError(t, principal, err, "the access token has expired")

	clock = now.Add(-time.Second)
	principal, err = verifier.Verify(t.Context(), token)
	wantTokenError(t, principal, err, "the access token is not valid yet")
}

func TestVerified_CallersDoNotShareState(t *testing.T) {
	t.Parallel()
	verifier, token := newVerifier(t, newConfig(t)), goodToken(t, nil)
	first, err := verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("first Verify: %v", err)
	}
	first.Organisation = "other"
	second, err := verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("second Verify: %v", err)
	}
	if second.Organisation != "acme" {
		t.Errorf("got organisation %q, want acme", second.Organisation)
	}
}

func BenchmarkVerify(b *testing.B) {
	verifier, token := newVerifier(b, newConfig(b)), goodToken(b, nil)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			if _, err := verifier.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			verifier := newVerifier(b, newConfig(b))
			b.StartTimer()
			if _, err := verifier.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func copyOf(key *rsa.PublicKey) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}
}

// A token that is remembered is good for as long as the issuer publishes the very
// key that it was verified with, of whatever kind.
func TestVerify_KeyOfAKnownTokenIsReplaced(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]authtest.Key{
		"RS256": {trustedKey(t), rogueKey(t)},
		"ES256": {authtest.NewES256Key(t, "key-1"), authtest.NewES256Key(t, "key-1")},
		"EdDSA": {authtest.NewEdDSAKey(t, "key-1"), authtest.NewEdDSAKey(t, "key-1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			published := pair[0]
			cfg := newConfig(t)
			cfg.Issuers[0].Format.Algorithms = []string{name}
			cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) { return published.Public(), nil }
			verifier, token := newVerifier(t, cfg), pair[0].Sign(t, goodClaims(nil), nil)
			for range 2 {
				if _, err := verifier.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			published = pair[1]
			principal, err := verifier.Verify(t.Context(), token)
			wantTokenError(t, principal, err, "the signature of the access token is wrong")
			if _, err := verifier.Verify(t.Context(), pair[1].Sign(t, goodClaims(nil), nil)); err != nil {
				t.Errorf("a token of the new key: %v", err)
			}
		})
	}
}
