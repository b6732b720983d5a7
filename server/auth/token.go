package auth

import (
	"crypto"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxTokenBytes = 8 << 10
	maxKeyIDBytes = 128
)

// unverifiedToken is a JWT that is well-formed and of the right kind. Nothing
// in it may be believed before verifySignature has returned nil.
type unverifiedToken struct {
	text   string
	header header
	claims claims
	issuer string
}

// parseToken takes apart a JWS in compact serialisation. Every error is a
// *TokenError.
func parseToken(token string) (*unverifiedToken, error) {
	rawHeader, payload, err := decodeCompact(token)
	if err != nil {
		return nil, err
	}
	parsed := &unverifiedToken{text: token}
	if parsed.header, err = readHeader(rawHeader); err != nil {
		return nil, err
	}
	if parsed.claims, err = parseClaims(payload); err != nil {
		return nil, err
	}
	parsed.issuer, _, err = parsed.claims.text("iss")
	return parsed, err
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

// readHeader returns the header of a token, checked but for the algorithm and
// whether the issuer has to say more: both are up to the issuer.
func readHeader(raw []byte) (header, error) {
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return header{}, refuse(tokenMalformed)
	}
	switch {
	case !isAccessTokenType(h.Type):
		return header{}, refuse(tokenType)
	case h.ContentType != "":
		return header{}, refuse(tokenNested)
	case h.Critical != nil || h.Unencoded != nil:
		return header{}, refuse(tokenExtension)
	case h.Key != nil || h.Chain != nil:
		// They would never be used, but go-jose parses keys and
		// certificates before any signature is checked.
		return header{}, refuse(tokenBringsKey)
	case h.KeyID == "" || len(h.KeyID) > maxKeyIDBytes:
		return header{}, refuse(tokenKeyID)
	default:
		return h, nil
	}
}

// isAccessTokenType admits the types of RFC 9068 and, because most issuers
// do not follow it, no type and plain JWT. An ID token of such an issuer is
// recognised by its audience.
func isAccessTokenType(typ string) bool {
	return typ == "" || strings.EqualFold(typ, "jwt") || saysAccessToken(typ)
}

// saysAccessToken reports whether a type is one of RFC 9068, which no other kind
// of token has.
func saysAccessToken(typ string) bool {
	return strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
}

// checkFormat refuses a header that the issuer is not known to write.
func (t *unverifiedToken) checkFormat(f TokenFormat) error {
	switch {
	case !slices.Contains(f.Algorithms, t.header.Algorithm):
		return refuse(tokenAlgorithm + list(f.Algorithms))
	case f.RequireAccessTokenType && !saysAccessToken(t.header.Type):
		return refuse(tokenNoType)
	default:
		return nil
	}
}

// verifySignature verifies with the algorithm that the header names, which
// checkFormat has accepted.
func (t *unverifiedToken) verifySignature(key crypto.PublicKey) error {
	if checkKey(key, t.header.Algorithm) != nil {
		return refuse(tokenUnusableKey)
	}
	signed, err := jose.ParseSignedCompact(t.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.header.Algorithm)})
	if err != nil {
		return refuse(tokenMalformed)
	}
	if _, err := signed.Verify(key); err != nil {
		return refuse(tokenSignature)
	}
	return nil
}
