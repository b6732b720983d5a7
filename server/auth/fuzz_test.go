package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer a", "bearer  a.b.c==", "Basic YTpi", "Bearer a, Bearer b", "Bearer \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := auth.BearerToken(http.Header{"Authorization": {value}})
		if err != nil {
			if token != "" || !isRefusal(err) {
				t.Errorf("got %q and error %v, want a refusal", token, err)
			}
			return
		}
		if token == "" || !strings.HasSuffix(value, " "+token) || strings.ContainsAny(token, " ,\t\r\n\"") {
			t.Errorf("took %q as the token of %q", token, value)
		}
	})
}

// FuzzVerify looks for a second spelling of a good token.
func FuzzVerify(f *testing.F) {
	verifier, good := newVerifier(f, newConfig(f)), goodToken(f, nil)
	header, payload, signature := split(good)
	for _, seed := range []string{
		good, "", "..", "a.b.c", header + "." + payload + ".", header + ".e30." + signature,
		"eyJhbGciOiJub25lIn0." + payload + ".", good + "=", strings.ToUpper(good),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		principal, err := verifier.Verify(t.Context(), token)
		if token != good && (principal != nil || !isRefusal(err)) {
			t.Errorf("got %+v and error %v, want a refusal", principal, err)
		}
	})
}

// FuzzParseKeySet looks for a key that nobody may use.
func FuzzParseKeySet(f *testing.F) {
	for _, key := range []authtest.Key{trustedKey(f), authtest.NewES256Key(f, "es"), authtest.NewPS256Key(f, "ps"), authtest.NewEdDSAKey(f, "ed")} {
		f.Add(authtest.Marshal(f, map[string]any{"keys": []any{key.JWK()}}))
		f.Add(authtest.Marshal(f, map[string]any{"keys": []any{authtest.With(key.JWK(), map[string]any{"d": "AQ", "x5c": []string{"A"}, "key_ops": []string{"sign"}})}}))
	}
	f.Add([]byte(`{"keys": [null, 1, {}, {"kid": "a", "kid": "b"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, skipped, err := auth.ParseKeySet(document, auth.Algorithms())
		if err != nil && (len(keys) > 0 || skipped > 0) {
			t.Errorf("got %d keys and error %v", len(keys), err)
		}
		for ref, key := range keys {
			if ref.ID == "" || len(ref.ID) > 128 || !fits(key, ref.Algorithm) {
				t.Errorf("took %T as the key %+v", key, ref)
			}
		}
	})
}

// fits reports whether a key is of the type and strength that an algorithm needs.
func fits(key crypto.PublicKey, algorithm string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return (algorithm == "RS256" || algorithm == "PS256") && key.N.BitLen() >= 2048 && key.N.BitLen() <= 8192 && key.E%2 == 1 && key.E >= 3
	case *ecdsa.PublicKey:
		return algorithm == "ES256" && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == "EdDSA" && len(key) == ed25519.PublicKeySize
	default:
		return false
	}
}

// FuzzVerifyClaims looks for a payload that makes a caller whom nobody can name, or
// a message that no header can carry. Everything is signed.
func FuzzVerifyClaims(f *testing.F) {
	key := authtest.NewES256Key(f, "key-1")
	cfg := newConfig(f)
	cfg.Issuers[0].Key = keysOf(key)
	cfg.Issuers[0].Format = auth.TokenFormat{Algorithms: []string{"ES256"}, ScopeClaim: "roles"}
	verifier := newVerifier(f, cfg)
	good := string(authtest.Marshal(f, goodClaims(nil)))
	for _, seed := range []string{
		good, "null", "[]", "{}", good[:len(good)-1] + `,"roles":{"a":{"b":1},"c":false}}`, good[:len(good)-1] + `,"roles":["a",null]}`,
		strings.Replace(good, `"acme"`, "null", 1), strings.Replace(good, `"acme"`, `"\u0000"`, 1), strings.Replace(good, "[", "", 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		principal, err := verifier.Verify(t.Context(), key.SignRaw(t, []byte(`{"alg":"ES256","kid":"key-1"}`), []byte(payload)))
		if err != nil {
			// RFC 6750 section 3: the characters of an error_description.
			unquotable := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
			if principal != nil || !isRefusal(err) || strings.ContainsFunc(err.Error(), unquotable) {
				t.Errorf("got %+v and error %q", principal, err)
			}
			return
		}
		if principal.Issuer != issuer || principal.Subject == "" || principal.Organisation == "" || len(principal.Organisation) > 128 ||
			strings.ContainsFunc(principal.Subject+principal.Organisation+principal.ClientID, unicode.IsControl) || principal.HasScope("") {
			t.Errorf("got %+v", principal)
		}
	})
}

func isRefusal(err error) bool {
	var refused *auth.TokenError
	return errors.Is(err, auth.ErrNoToken) || errors.As(err, &refused)
}
