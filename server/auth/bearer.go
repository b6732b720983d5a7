package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	scheme    = "Bearer"
	challenge = scheme + ` realm="clientsd"`
)

// BearerToken returns the token of the one Authorization header (RFC 6750
// section 2.1). A token in the query or the body is never read.
//
// No header, or one of another scheme, is [ErrNoToken]; several headers,
// several tokens, or characters that no token has are a [TokenError].
func BearerToken(header http.Header) (string, error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return "", ErrNoToken
	}
	if len(values) > 1 {
		return "", refuse(headerRepeated)
	}
	name, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(name, scheme) {
		return "", ErrNoToken
	}
	token = strings.TrimLeft(token, " ")
	if !isB64Token(token) {
		return "", refuse(headerMalformed)
	}
	return token, nil
}

// isB64Token says whether s is a b64token of RFC 6750: at least one character
// of the set, then any number of equals signs.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !isB64TokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isB64TokenChar(c byte) bool {
	switch c {
	case '-', '.', '_', '~', '+', '/':
		return true
	default:
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
}

// Challenge returns the value of the WWW-Authenticate header that goes with
// an error of this package (RFC 6750 section 3): without an error code for
// [ErrNoToken], with one for a [TokenError] or a [ScopeError], and empty for
// errors that another token would not mend.
func Challenge(err error) string {
	var (
		refused *TokenError
		lacking *ScopeError
	)
	switch {
	case errors.Is(err, ErrNoToken):
		return challenge
	case errors.As(err, &refused):
		return fmt.Sprintf("%s, error=%q, error_description=%q", challenge, "invalid_token", refused.Description)
	case errors.As(err, &lacking):
		return challenge + ", " + lacking.challenge()
	default:
		return ""
	}
}
