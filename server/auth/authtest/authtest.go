// Package authtest makes signing keys, access tokens good and bad, and an
// issuer that publishes keys over HTTP, for the tests of server/auth and of
// whatever stands behind it.
//
// It depends on the standard library alone, so that it can write what a
// library would refuse to. No program may import it.
package authtest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
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
	ID string
	// Private is the key of an RSA key, and nil for another one.
	Private *rsa.PrivateKey

	algorithm string        // empty: RS256
	other     crypto.Signer // nil: RSA
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

// NewPS256Key makes an RSA key for RSA-PSS.
func NewPS256Key(tb testing.TB, id string) Key {
	tb.Helper()
	key := NewKey(tb, id)
	key.algorithm = "PS256"
	return key
}

// NewES256Key makes a key on the curve P-256.
func NewES256Key(tb testing.TB, id string) Key {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("generate key: %v", err)
	}
	return Key{ID: id, algorithm: "ES256", other: private}
}

// NewEdDSAKey makes a key on the curve Ed25519.
func NewEdDSAKey(tb testing.TB, id string) Key {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatalf("generate key: %v", err)
	}
	return Key{ID: id, algorithm: "EdDSA", other: private}
}

// Algorithm returns the name of the algorithm that the key signs with.
func (k Key) Algorithm() string { return cmp.Or(k.algorithm, "RS256") }

// Public returns the public key.
func (k Key) Public() crypto.PublicKey {
	if k.other != nil {
		return k.other.Public()
	}
	return k.Private.Public()
}

// Sign returns an access token. The header is `alg`, `kid` and `typ`
// at+jwt, with the given parameters put over it; one that is nil is left out.
func (k Key) Sign(tb testing.TB, claims, header map[string]any) string {
	tb.Helper()
	full := With(map[string]any{"alg": k.Algorithm(), "kid": k.ID, "typ": "at+jwt"}, header)
	return k.SignRaw(tb, Marshal(tb, full), Marshal(tb, claims))
}

// SignRaw returns a compact JWS of exactly these bytes, signed with the algorithm
// of the key whatever the header says.
func (k Key) SignRaw(tb testing.TB, header, payload []byte) string {
	tb.Helper()
	input := Encode(header) + "." + Encode(payload)
	signature, err := k.sign([]byte(input))
	if err != nil {
		tb.Fatalf("sign: %v", err)
	}
	return input + "." + Encode(signature)
}

func (k Key) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch private := k.other.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, input), nil
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	}
	if k.algorithm == "PS256" {
		return rsa.SignPSS(rand.Reader, k.Private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.SignPKCS1v15(nil, k.Private, crypto.SHA256, digest[:])
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

// JWK returns the public key as a JSON Web Key for signatures.
func (k Key) JWK() map[string]any {
	jwk := map[string]any{"use": "sig", "alg": k.Algorithm(), "kid": k.ID}
	switch public := k.Public().(type) {
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", Encode(public)
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y
		if err != nil {
			panic(err) //nolint:forbidigo // the key was made here
		}
		jwk["kty"], jwk["crv"] = "EC", "P-256"
		jwk["x"], jwk["y"] = Encode(point[1:33]), Encode(point[33:])
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"], jwk["e"] = Encode(public.N.Bytes()), Encode(big.NewInt(int64(public.E)).Bytes())
	}
	return jwk
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
