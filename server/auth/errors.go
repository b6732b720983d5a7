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
	// known not to publish. See [UnknownKeyError].
	ErrUnknownKey = errors.New("the issuer does not publish the key")

	// ErrUnusableKey is what [Issuer.Key] returns for a key that the issuer
	// publishes, but that cannot verify the signature: it is of another kind, weak,
	// or cannot be read.
	ErrUnusableKey = errors.New("the key of the issuer is not accepted")

	// ErrKeysUnavailable means that it is not known whether the issuer publishes the
	// key of the token, so the token is neither good nor bad. The caller may retry:
	// see [UnavailableError].
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

// UnknownKeyError is an [ErrUnknownKey] that a moment may mend: the issuer may
// publish the key by now.
type UnknownKeyError struct {
	// AsOf is when the issuer was asked last.
	AsOf time.Time
	// RetryAfter is how long it takes until the issuer is asked again.
	RetryAfter time.Duration
}

// Error says what is known, and since when.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("%v as of %v", ErrUnknownKey, e.AsOf)
}

// Unwrap returns ErrUnknownKey.
func (e *UnknownKeyError) Unwrap() error { return ErrUnknownKey }

// UnavailableError is an [ErrKeysUnavailable] with what the caller may do about
// it.
type UnavailableError struct {
	// Description is a fixed sentence without the cause, which is none of the
	// caller's business.
	Description string
	// RetryAfter is how long to wait.
	RetryAfter time.Duration
}

// Error returns the description.
func (e *UnavailableError) Error() string { return e.Description }

// Unwrap returns ErrKeysUnavailable.
func (e *UnavailableError) Unwrap() error { return ErrKeysUnavailable }

// keyNotYetKnown is the description of an UnavailableError about a key that the
// issuer may publish by now.
const keyNotYetKnown = "the access token is signed with a key that is not known yet: its issuer is asked for it soon"

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

// The descriptions of TokenError. Those about a claim are followed by its name: see
// in.
const (
	headerRepeated    = "the request has more than one Authorization header"
	headerMalformed   = "the Authorization header does not hold one bearer token"
	tokenTooLarge     = "the access token is larger than 8 KiB"
	tokenMalformed    = "the access token is not a well-formed signed JWT"
	tokenAlgorithm    = "the access token is not signed with " // and the names
	tokenType         = "the token is of a type other than an access token"
	tokenNoType       = "the header of the access token does not say that it is one (typ at+jwt)"
	tokenNested       = "the access token has content of another type"
	tokenExtension    = "the access token relies on an extension that is not supported"
	tokenBringsKey    = "the access token carries a key of its own"
	tokenKeyID        = "the access token names no usable key id"
	tokenIssuer       = "the access token is from an issuer that is not trusted"
	tokenUnknownKey   = "the access token is signed with a key its issuer does not publish"
	tokenUnusableKey  = "the access token is signed with a key of its issuer that is not accepted"
	tokenSignature    = "the signature of the access token is wrong"
	claimsMalformed   = "the claims of the access token are malformed"
	claimNoAudience   = "the access token names no audience"
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

// in names the claim that a description is about.
func in(claim string) string { return " (claim " + claim + ")" }

// claimIs describes a claim of the wrong type.
func claimIs(claim, what string) string {
	return "the claim " + claim + " of the access token is " + what
}

func refuse(description string) error {
	return &TokenError{Description: description}
}

// refuseNow refuses a genuine token for its dates.
func refuseNow(description string) error {
	return &TokenError{Description: description, Genuine: true}
}
