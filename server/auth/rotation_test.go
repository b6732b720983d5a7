package auth_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

// newRemoteVerifier trusts an issuer whose keys are fetched.
func newRemoteVerifier(t *testing.T, server *authtest.Issuer) (*auth.Verifier, *auth.RemoteKeys) {
	t.Helper()
	keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
	return newVerifier(t, auth.Config{Issuers: []auth.Issuer{{Name: server.URL, Key: keys.Key}}, Audience: audience}), keys
}

// remoteToken is a token that the issuer has issued just now.
func remoteToken(t *testing.T, server *authtest.Issuer, key authtest.Key) string {
	t.Helper()
	return key.Sign(t, authtest.Claims(server.URL, audience, time.Now()), nil)
}

// wantRetry fails the test unless the token is neither good nor bad, and the
// caller may come back after that long.
func wantRetry(t *testing.T, verifier *auth.Verifier, token string, after time.Duration) {
	t.Helper()
	_, err := verifier.Verify(t.Context(), token)
	var unavailable *auth.UnavailableError
	if !errors.As(err, &unavailable) || !errors.Is(err, auth.ErrKeysUnavailable) {
		t.Fatalf("got error %v, want an UnavailableError", err)
	}
	if unavailable.RetryAfter != after {
		t.Errorf("got %v, want %v", unavailable.RetryAfter, after)
	}
}

func TestVerify_IssuerRotatesItsKey(t *testing.T) {
	t.Parallel()
	old, next := trustedKey(t), authtest.NewKey(t, "key-2")
	server := authtest.NewIssuer(t, old)
	synctest.Test(t, func(t *testing.T) {
		verifier, keys := newRemoteVerifier(t, server)
		run(t, keys)
		early := remoteToken(t, server, authtest.Key{ID: "key-3", Private: next.Private})
		pass(3 * time.Second)
		server.Publish(t, next)
		token := remoteToken(t, server, next)
		wantRetry(t, verifier, token, 27*time.Second)
		pass(20 * time.Second)
		wantRetry(t, verifier, token, 7*time.Second)
		if got := server.Requests(authtest.KeysPath); got != 1 {
			t.Errorf("got %d fetches in 30 s", got)
		}
		pass(7 * time.Second)
		if _, err := verifier.Verify(t.Context(), token); err != nil {
			t.Errorf("after the time it was told to wait: %v", err)
		}
		principal, err := verifier.Verify(t.Context(), early)
		wantTokenError(t, principal, err, unknownKey)
		principal, err = verifier.Verify(t.Context(), remoteToken(t, server, old))
		if !errors.Is(err, auth.ErrKeysUnavailable) {
			t.Errorf("a token of the old key that is younger than the fetch: got %+v, %v", principal, err)
		}

		pass(2 * time.Minute) // without a token that asks for a fetch
		wantRetry(t, verifier, remoteToken(t, server, old), time.Second)
	})
}

// A key that is published while the keys are fetched is not missed: what counts is
// when the fetch began. This takes two seconds in real time, because a request
// under way stops the clock of a bubble.
func TestVerify_IssuerRotatesItsKeyDuringAFetch(t *testing.T) {
	t.Parallel()
	old, next := trustedKey(t), authtest.NewKey(t, "key-2")
	server, asked := authtest.NewIssuer(t), make(chan struct{})
	server.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		time.Sleep(2 * time.Second)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{old.JWK()}})
	})
	verifier, keys := newRemoteVerifier(t, server)
	go keys.Run(t.Context())
	<-asked
	token := remoteToken(t, server, next)
	for keys.Usable() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := verifier.Verify(t.Context(), token); !errors.Is(err, auth.ErrKeysUnavailable) {
		t.Errorf("got error %v, want ErrKeysUnavailable", err)
	}
}

func TestVerify_KeyThatIsNotKnown(t *testing.T) {
	t.Parallel()
	asOf := now.Add(-time.Minute).Add(700 * time.Millisecond)
	for name, tt := range map[string]struct {
		err   error
		iat   any
		retry bool
	}{
		"issued after the fetch":               {&auth.UnknownKeyError{AsOf: asOf}, now.Unix(), true},
		"issued in the second of the fetch":    {&auth.UnknownKeyError{AsOf: asOf}, now.Unix() - 60, true},
		"issued a second before":               {&auth.UnknownKeyError{AsOf: asOf}, now.Unix() - 61, false},
		"issued by a clock that is 30 s ahead": {&auth.UnknownKeyError{AsOf: asOf}, now.Unix() + 30, true},
		"issued in the future":                 {&auth.UnknownKeyError{AsOf: asOf}, now.Unix() + 31, false},
		"without a date":                       {&auth.UnknownKeyError{AsOf: asOf}, nil, false},
		"with a date that is none":             {&auth.UnknownKeyError{AsOf: asOf}, "now", false},
		"with a date after the year 9999":      {&auth.UnknownKeyError{AsOf: asOf}, json.RawMessage("253402300800"), false},
		"of an issuer that knows all its keys": {auth.ErrUnknownKey, now.Unix(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newConfig(t)
			cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) { return nil, tt.err }
			principal, err := newVerifier(t, cfg).Verify(t.Context(), goodToken(t, map[string]any{"iat": tt.iat}))
			if !tt.retry {
				wantTokenError(t, principal, err, unknownKey)
			} else if !errors.Is(err, auth.ErrKeysUnavailable) {
				t.Errorf("got %+v, %v, want ErrKeysUnavailable", principal, err)
			}
		})
	}
}

func TestRemoteKeys_WaitIsThatUntilTheNextAttempt(t *testing.T) {
	t.Parallel()
	server := authtest.NewIssuer(t)
	server.Answer(authtest.KeysPath, failing)
	synctest.Test(t, func(t *testing.T) {
		verifier, keys := newRemoteVerifier(t, server)
		token := remoteToken(t, server, trustedKey(t))
		wantRetry(t, verifier, token, time.Second)
		run(t, keys)
		wantRetry(t, verifier, token, time.Second)
		pass(time.Second + 2*time.Second + 4*time.Second)
		wantRetry(t, verifier, token, 8*time.Second)
		pass(5 * time.Second)
		wantRetry(t, verifier, token, 3*time.Second)
	})
}

// An outage of hours is said again and again, but not every thirty seconds.
func TestRemoteKeys_WarningsOfAnOutage(t *testing.T) {
	t.Parallel()
	server := authtest.NewIssuer(t)
	server.Answer(authtest.KeysPath, failing)
	synctest.Test(t, func(t *testing.T) {
		keys, log := newLoggedKeys(t, server)
		run(t, keys)
		pass(5 * time.Minute)
		first := len(log.warnings(t))
		if first != 10 {
			t.Errorf("got %d warnings in five minutes", first)
		}
		pass(time.Hour)
		if more := len(log.warnings(t)) - first; more < 11 || more > 13 {
			t.Errorf("got %d warnings in the next hour", more)
		}
		if keys.Failures() < 100 {
			t.Errorf("got %d failures", keys.Failures())
		}
	})
}
