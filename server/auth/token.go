package auth

import (
	"crypto/rsa"
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4"
	// go-jose's own decoder, unlike the standard library's, refuses an object
	// that names a member twice and does not match names regardless of case.
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxTokenBytes = 8 << 10
	maxKeyIDBytes = 128
	minKeyBits    = 2048
)

// unverifiedToken is a JWT that is well-formed and of the right kind. Nothing
// in it may be believed before verifySignature has returned nil.
type unverifiedToken struct {
	keyID  string
	claims claims
	signed *jose.JSONWebSignature
}

// parseToken takes apart a JWS in compact serialisation. Every error is a
// *TokenError.
func parseToken(token string) (*unverifiedToken, error) {
	rawHeader, payload, err := decodeCompact(token)
	if err != nil {
		return nil, err
	}
	keyID, err := readHeader(rawHeader)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, refuse(tokenMalformed)
	}
	parsed := &unverifiedToken{keyID: keyID, signed: signed}
	if err := json.Unmarshal(payload, &parsed.claims); err != nil {
		return nil, refuse(claimsMalformed)
	}
	return parsed, nil
}

// decodeCompact returns header and payload of a token of three non-empty
// parts in canonical base64url. go-jose is laxer: it skips line breaks and
// ignores stray bits of a last character, and so gives one signed token many
// spellings.
func decodeCompact(token string) (header, payload []byte, err error) {
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return nil, nil, refuse(tokenMalformed)
	}
	var decoded [3][]byte
	for i, part := range parts {
		decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || part == "" {
			return nil, nil, refuse(tokenMalformed)
		}
	}
	return decoded[0], decoded[1], nil
}

// header holds the parameters of RFC 7515 that decide anything here. `jku`
// and `x5u` are missing on purpose: a URL in a token is never followed, and
// issuers that send one are not refused for it.
type header struct {
	Algorithm   string          `json:"alg"`
	KeyID       string          `json:"kid"`
	Type        string          `json:"typ"`
	ContentType string          `json:"cty"`
	Critical    json.RawMessage `json:"crit"`
	Unencoded   json.RawMessage `json:"b64"`
	Key         json.RawMessage `json:"jwk"`
	Chain       json.RawMessage `json:"x5c"`
}

// readHeader checks the header and returns the id of the key to verify with.
func readHeader(raw []byte) (keyID string, err error) {
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return "", refuse(tokenMalformed)
	}
	switch {
	case h.Algorithm != string(jose.RS256):
		return "", refuse(tokenAlgorithm)
	case !isAccessTokenType(h.Type):
		return "", refuse(tokenType)
	case h.ContentType != "":
		return "", refuse(tokenNested)
	case h.Critical != nil || h.Unencoded != nil:
		return "", refuse(tokenExtension)
	case h.Key != nil || h.Chain != nil:
		// They would never be used, but go-jose parses keys and
		// certificates before any signature is checked.
		return "", refuse(tokenBringsKey)
	case h.KeyID == "" || len(h.KeyID) > maxKeyIDBytes:
		return "", refuse(tokenKeyID)
	default:
		return h.KeyID, nil
	}
}

// isAccessTokenType admits the types of RFC 9068 and, because most issuers
// do not follow it, no type and plain JWT. An ID token of such an issuer is
// told by its audience.
func isAccessTokenType(typ string) bool {
	switch strings.ToLower(typ) {
	case "", "jwt", "at+jwt", "application/at+jwt":
		return true
	default:
		return false
	}
}

func (t *unverifiedToken) verifySignature(key *rsa.PublicKey) error {
	if key.N.BitLen() < minKeyBits {
		return refuse(tokenWeakKey)
	}
	if _, err := t.signed.Verify(key); err != nil {
		return refuse(tokenSignature)
	}
	return nil
}
