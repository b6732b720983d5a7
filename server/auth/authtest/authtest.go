// Package authtest makes signing keys, access tokens good and bad, and an
// issuer that publishes keys over HTTP, for the tests of server/auth and of
// whatever stands behind it.
//
// It depends on the standard library alone, so that it can write what a
// library would refuse to. No program may import it.
package authtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"testing"
	"time"
)

// Key is a signing key and the id it is published under.
type Key struct {
	ID      string
	Private *rsa.PrivateKey
}

// NewKey makes an RSA key of 2048 bits. Keys are slow to make: share them.
func NewKey(tb testing.TB, id string) Key {
	tb.Helper()
	return NewKeyOfSize(tb, id, 2048)
}

// NewKeyOfSize makes an RSA key of so many bits.
func NewKeyOfSize(tb testing.TB, id string, bits int) Key {
	tb.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatalf("generate key: %v", err)
	}
	return Key{ID: id, Private: private}
}

// Sign returns an RS256 access token. The header is `alg`, `kid` and `typ`
// at+jwt, with the given parameters put over it; one that is nil is left out.
func (k Key) Sign(tb testing.TB, claims, header map[string]any) string {
	tb.Helper()
	full := With(map[string]any{"alg": "RS256", "kid": k.ID, "typ": "at+jwt"}, header)
	return k.SignRaw(tb, Marshal(tb, full), Marshal(tb, claims))
}

// SignRaw returns a compact JWS of exactly these bytes, signed with RS256
// whatever the header says.
func (k Key) SignRaw(tb testing.TB, header, payload []byte) string {
	tb.Helper()
	input := Encode(header) + "." + Encode(payload)
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, k.Private, crypto.SHA256, digest[:])
	if err != nil {
		tb.Fatalf("sign: %v", err)
	}
	return input + "." + Encode(signature)
}

// Claims returns every claim of a good token that was issued just now and
// lives for an hour, without any scope.
func Claims(issuer, audience string, now time.Time) map[string]any {
	return map[string]any{
		"iss":       issuer,
		"sub":       "urn:xeonr:user:1",
		"aud":       []string{audience},
		"exp":       now.Add(time.Hour).Unix(),
		"nbf":       now.Unix(),
		"iat":       now.Unix(),
		"jti":       "token-1",
		"client_id": "console",
		"azp":       "console-azp",

		"urn:xeonr:auth:organisation_id": "acme",
		"urn:xeonr:auth:application_id":  "app_prod",
	}
}

// With returns a copy of base with the members of over put over it; one that
// is nil is left out.
func With(base, over map[string]any) map[string]any {
	merged := maps.Clone(base)
	for name, value := range over {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged
}

// JWK returns the public key as a JSON Web Key for RS256 signatures.
func (k Key) JWK() map[string]any {
	return map[string]any{
		"kty": "RSA",
		"use": "sig",
		"alg": "RS256",
		"kid": k.ID,
		"n":   Encode(k.Private.N.Bytes()),
		"e":   Encode(big.NewInt(int64(k.Private.E)).Bytes()),
	}
}

// Encode returns base64url without padding, as JOSE wants it.
func Encode(data []byte) string {
	return base64.RawURLEncoding.EncodeToString(data)
}

// Marshal returns the JSON of value.
func Marshal(tb testing.TB, value any) []byte {
	tb.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatalf("marshal: %v", err)
	}
	return data
}
