package auth

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoToken means that the request carries no bearer token at all.
	ErrNoToken = errors.New("the request carries no access token")

	// ErrUnknownKey is what [Issuer.Key] returns for a key that the issuer is
	// known not to publish.
	ErrUnknownKey = errors.New("the issuer does not publish the key")

	// ErrKeysUnavailable means that the issuer could not be asked for its
	// keys, so the token is neither good nor bad. The caller may retry.
	ErrKeysUnavailable = errors.New("the keys of the token issuer are not available")

	// ErrNotAllowed means that no rule opens the procedure to anyone.
	ErrNotAllowed = errors.New("no rule allows this procedure")
)

// TokenError means that the caller's access token was refused.
type TokenError struct {
	// Description is one of a fixed set of sentences, without any part of
	// the token, in the characters RFC 6750 allows in `error_description`.
	Description string
	// Genuine reports that a trusted issuer has signed the token, and that only
	// its dates keep it from being used now. A client that holds such a token
	// asks for a new one: it is no attack.
	Genuine bool
}

// Error returns the description.
func (e *TokenError) Error() string { return e.Description }

// ThrottledError means that too many bad tokens came from where this one, which
// is bad as well, came from.
type ThrottledError struct {
	// RetryAfter is how long to wait.
	RetryAfter time.Duration
}

// Error asks for patience.
func (e *ThrottledError) Error() string {
	return "too many bad access tokens came from this address: wait before the next"
}

// ScopeError means that the access token is good but lacks a scope.
type ScopeError struct {
	// Scope is the missing scope.
	Scope string
}

// Error names the missing scope.
func (e *ScopeError) Error() string {
	return fmt.Sprintf("the access token lacks the scope %q", e.Scope)
}

// The descriptions of TokenError.
const (
	headerRepeated    = "the request has more than one Authorization header"
	headerMalformed   = "the Authorization header does not hold one bearer token"
	tokenTooLarge     = "the access token is larger than 8 KiB"
	tokenMalformed    = "the access token is not a well-formed signed JWT"
	tokenAlgorithm    = "the access token is not signed with RS256"
	tokenType         = "the token is of a type other than an access token"
	tokenNested       = "the access token has content of another type"
	tokenExtension    = "the access token relies on an extension that is not supported"
	tokenBringsKey    = "the access token carries a key of its own"
	tokenKeyID        = "the access token names no usable key id"
	tokenIssuer       = "the access token is from an issuer that is not trusted"
	tokenUnknownKey   = "the access token is signed with a key its issuer does not publish"
	tokenWeakKey      = "the access token is signed with a key that is too short"
	tokenSignature    = "the signature of the access token is wrong"
	claimsMalformed   = "the claims of the access token are malformed"
	claimAudience     = "the access token is meant for another audience"
	claimSubject      = "the access token has no usable subject"
	claimClient       = "the access token names no usable client"
	claimOrganisation = "the access token names no usable organisation"
	claimApplication  = "the access token names no usable application"
	claimDate         = "the access token has a date that is out of range"
	claimNoExpiry     = "the access token has no expiry date"
	tokenExpired      = "the access token has expired"
	tokenNotYetValid  = "the access token is not valid yet"
	tokenFromFuture   = "the access token was issued in the future"
)

func refuse(description string) error {
	return &TokenError{Description: description}
}

// refuseNow refuses a genuine token for its dates.
func refuseNow(description string) error {
	return &TokenError{Description: description, Genuine: true}
}
