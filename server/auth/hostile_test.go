package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

const (
	malformed      = "the access token is not a well-formed signed JWT"
	wrongAlgorithm = "the access token is not signed with RS256"
	wrongSignature = "the signature of the access token is wrong"
	wrongKind      = "the token is of a type other than an access token"
	extension      = "the access token relies on an extension that is not supported"
	bringsKey      = "the access token carries a key of its own"
	unknownKey     = "the access token is signed with a key its issuer does not publish"
	noKeyID        = "the access token names no usable key id"
)

// hostile is a token that must be refused.
type hostile struct {
	name  string
	token string
	want  string
}

func testHostile(t *testing.T, cfg auth.Config, tests []hostile) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			principal, err := newVerifier(t, cfg).Verify(t.Context(), tt.token)
			wantTokenError(t, principal, err, tt.want)
		})
	}
}

func TestVerifyRefusesWhatIsNotOneSignedJWT(t *testing.T) {
	t.Parallel()
	good := goodToken(t, nil)
	header, payload, signature := split(good)
	testHostile(t, newConfig(t), []hostile{
		{"nothing", "", malformed},
		{"no dots", "token", malformed},
		{"only dots", "..", malformed},
		{"a thousand dots", strings.Repeat(".", 1000), malformed},
		{"the signature stripped", header + "." + payload + ".", malformed},
		{"the signature and its dot stripped", header + "." + payload, malformed},
		{"a fourth part", good + ".e30", malformed},
		{"the payload detached", header + ".." + signature, malformed},
		{"an encrypted token", encrypt(t), malformed},
		{"JSON serialisation", parse(t, good).FullSerialize(), malformed},
		{"a space in front", " " + good, malformed},
		{"a line break inside the payload", header + "." + payload[:8] + "\n" + payload[8:] + "." + signature, malformed},
		{"a line break at the end", good + "\r\n", malformed},
		{"padding at the end", good + "==", malformed},
		{"the other base64 alphabet", header + "." + payload + "." + strings.NewReplacer("-", "+", "_", "/").Replace(withSpecials(signature)), malformed},
		{"stray bits in the last character of the signature", good[:len(good)-1] + strayBits(good), malformed},
		{"a header that is no JSON", authtest.Encode([]byte("alg")) + "." + payload + "." + signature, malformed},
		{"a header that is a JSON array", authtest.Encode([]byte("[]")) + "." + payload + "." + signature, malformed},
		{"9 KiB", good + strings.Repeat("A", 9<<10), "the access token is larger than 8 KiB"},
		{"9 KiB that are well signed", goodToken(t, map[string]any{"pad": text(9 << 10)}), "the access token is larger than 8 KiB"},
	})
}

func TestVerifyRefusesSignaturesOfOthers(t *testing.T) {
	t.Parallel()
	good := goodToken(t, nil)
	header, payload, signature := split(good)
	_, otherPayload, _ := split(goodToken(t, map[string]any{"scope": "admin"}))
	hs256 := jose.SigningKey{Algorithm: jose.HS256, Key: publicPEM(t)}
	testHostile(t, newConfig(t), []hostile{
		{"a bit flipped in the header", flip(header) + "." + payload + "." + signature, malformed},
		{"a bit flipped in the signature", header + "." + payload + "." + flip(signature), wrongSignature},
		{"the payload of another token", header + "." + otherPayload + "." + signature, wrongSignature},
		{"another key under the same id", rogueKey(t).Sign(t, goodClaims(nil), nil), wrongSignature},
		{"a signature of one byte", header + "." + payload + ".AA", wrongSignature},
		{"alg none without a signature", unsigned(t, "none"), malformed},
		{"alg none with a signature", trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": "none"}), wrongAlgorithm},
		{"alg None in other letters", trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": "nOnE"}), wrongAlgorithm},
		{"alg rs256 in small letters", trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": "rs256"}), wrongAlgorithm},
		{"no alg", trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": nil}), wrongAlgorithm},
		{"an alg that is a list", trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": []string{"RS256"}}), malformed},
		{"HS256 with the public key as the secret", signAs(t, hs256), wrongAlgorithm},
		{"RS256 in the header, HS256 in truth", swapHeader(signAs(t, hs256), header), wrongSignature},
		{"PS256 with the right key", signAs(t, jose.SigningKey{Algorithm: jose.PS256, Key: trustedKey(t).Private}), wrongAlgorithm},
		{"RS384 with the right key", signAs(t, jose.SigningKey{Algorithm: jose.RS384, Key: trustedKey(t).Private}), wrongAlgorithm},
		{"ES256", signAs(t, jose.SigningKey{Algorithm: jose.ES256, Key: ecKey(t)}), wrongAlgorithm},
	})
}

func TestVerifyRefusesHeaders(t *testing.T) {
	t.Parallel()
	signed := func(header map[string]any) string { return trustedKey(t).Sign(t, goodClaims(nil), header) }
	raw := func(header string) string {
		return trustedKey(t).SignRaw(t, []byte(header), authtest.Marshal(t, goodClaims(nil)))
	}
	rogue := func(header map[string]any) string { return rogueKey(t).Sign(t, goodClaims(nil), header) }
	testHostile(t, newConfig(t), []hostile{
		{"no key id", signed(map[string]any{"kid": nil}), noKeyID},
		{"an empty key id", signed(map[string]any{"kid": ""}), noKeyID},
		{"a key id of 4 KiB", signed(map[string]any{"kid": text(4 << 10)}), noKeyID},
		{"a key id that is a number", signed(map[string]any{"kid": 1}), malformed},
		{"an unknown key id", signed(map[string]any{"kid": "key-2"}), unknownKey},
		{"a key id that is a path", signed(map[string]any{"kid": "../../../../dev/null"}), unknownKey},
		{"a key id that is SQL", signed(map[string]any{"kid": "key-1' OR '1'='1"}), unknownKey},
		{"the key id in capitals", signed(map[string]any{"kid": "KEY-1"}), unknownKey},
		{"an unknown critical header", signed(map[string]any{"crit": []string{"x-must"}, "x-must": 1}), extension},
		{"a critical header that is absent", signed(map[string]any{"crit": []string{"exp"}}), extension},
		{"an empty list of critical headers", signed(map[string]any{"crit": []string{}}), extension},
		{"a null list of critical headers", raw(`{"alg":"RS256","kid":"key-1","crit":null}`), extension},
		{"an unencoded payload, critical", signed(map[string]any{"crit": []string{"b64"}, "b64": false}), extension},
		{"an unencoded payload", signed(map[string]any{"b64": false}), extension},
		{"a key in the header", rogue(map[string]any{"jwk": rogueKey(t).JWK()}), bringsKey},
		{"a shared secret in the header", rogue(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}), bringsKey},
		{"a certificate in the header", rogue(map[string]any{"x5c": []string{"MIIB"}}), bringsKey},
		{"a key URL of an attacker", rogue(map[string]any{"jku": "https://attacker.example/jwks"}), wrongSignature},
		{"a certificate URL of an attacker", rogue(map[string]any{"x5u": "https://attacker.example/x5u"}), wrongSignature},
		{"a nested token", trustedKey(t).SignRaw(t, []byte(`{"alg":"RS256","kid":"key-1","cty":"JWT"}`), []byte(goodToken(t, nil))), "the access token has content of another type"},
		{"a nested token that does not say so", trustedKey(t).SignRaw(t, []byte(`{"alg":"RS256","kid":"key-1"}`), []byte(goodToken(t, nil))), claimsMalformed},
		{"a logout token", signed(map[string]any{"typ": "logout+jwt"}), wrongKind},
		{"an ID token that says so", signed(map[string]any{"typ": "id_token+jwt"}), wrongKind},
		{"a DPoP proof", signed(map[string]any{"typ": "dpop+jwt"}), wrongKind},
		{"a type that only starts well", signed(map[string]any{"typ": "at+jwt2"}), wrongKind},
		{"a type that is a list", signed(map[string]any{"typ": []string{"JWT"}}), malformed},
		{"a header named twice", raw(`{"alg":"RS256","kid":"key-1","kid":"key-1"}`), malformed},
		{"an unknown header named twice", raw(`{"alg":"RS256","kid":"key-1","x":1,"x":2}`), malformed},
		{"header names in capitals", raw(`{"ALG":"RS256","KID":"key-1"}`), noKeyID},
	})
}

func TestVerifyRefusesAKeyOf1024Bits(t *testing.T) {
	t.Parallel()
	weak := authtest.NewKeyOfSize(t, "key-1", 1024)
	cfg := newConfig(t)
	cfg.Issuers[0].Key = keysOf(weak)
	testHostile(t, cfg, []hostile{
		{"a weak key", weak.Sign(t, goodClaims(nil), nil), "the access token is signed with a key of its issuer that is not accepted"},
	})
}

func split(token string) (header, payload, signature string) {
	parts := strings.Split(token, ".")
	return parts[0], parts[1], parts[2]
}

// flip changes the second character, where every bit counts.
func flip(part string) string {
	if part[1] == 'A' {
		return part[:1] + "B" + part[2:]
	}
	return part[:1] + "A" + part[2:]
}

// strayBits returns the last character with its lowest bit set, which a
// signature of 256 bytes leaves unused.
func strayBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return alphabet[last|1 : last|1+1]
}

// withSpecials makes sure that the two alphabets differ.
func withSpecials(part string) string {
	return "-_" + part[2:]
}

func swapHeader(token, header string) string {
	_, payload, signature := split(token)
	return header + "." + payload + "." + signature
}

func unsigned(t *testing.T, alg string) string {
	t.Helper()
	header, payload, _ := split(trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": alg}))
	return header + "." + payload + "."
}

// signAs signs the good claims with another algorithm.
func signAs(t *testing.T, key jose.SigningKey) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithHeader("kid", "key-1").WithType("at+jwt"))
	if err != nil {
		t.Fatalf("NewSigner: %v", err)
	}
	signed, err := signer.Sign(authtest.Marshal(t, goodClaims(nil)))
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatalf("CompactSerialize: %v", err)
	}
	return token
}

// encrypt returns the good token encrypted to the issuer's key.
func encrypt(t *testing.T) string {
	t.Helper()
	recipient := jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: &trustedKey(t).Private.PublicKey, KeyID: "key-1"}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, recipient, nil)
	if err != nil {
		t.Fatalf("NewEncrypter: %v", err)
	}
	encrypted, err := encrypter.Encrypt([]byte(goodToken(t, nil)))
	if err != nil {
		t.Fatalf("Encrypt: %v", err)
	}
	token, err := encrypted.CompactSerialize()
	if err != nil {
		t.Fatalf("CompactSerialize: %v", err)
	}
	return token
}

func parse(t *testing.T, token string) *jose.JSONWebSignature {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatalf("ParseSignedCompact: %v", err)
	}
	return signed
}

func publicPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&trustedKey(t).Private.PublicKey)
	if err != nil {
		t.Fatalf("MarshalPKIXPublicKey: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("GenerateKey: %v", err)
	}
	return key
}
