package oauthclient

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"clientsd/ent"
	"clientsd/server/tx"
)

// A Code is the class of an Error. Each API maps it once.
type Code int

const (
	// NotFound reports that the caller's organisation has no such client.
	NotFound Code = iota + 1
	// Invalid reports that the input breaks a rule; Error.Violations say which.
	Invalid
	// AlreadyExists reports that a client with this id exists.
	AlreadyExists
	// Precondition reports that the client is not in a state that allows the call.
	Precondition
	// Aborted reports that another call changed the client first. Nothing was changed.
	Aborted
	// Exhausted reports that the organisation has all that it may have. Nothing was
	// changed.
	Exhausted
	// Damaged reports stored data that does not open or does not fit together.
	Damaged
	// Unavailable reports that the database does not answer. Nothing was changed.
	Unavailable
	// TimedOut reports that the database ended a statement that took too long.
	// Nothing was changed.
	TimedOut
	// OutcomeUnknown reports that the call may have changed something or not;
	// Error.Retryable says whether the caller can find out by repeating it.
	OutcomeUnknown
)

// An Error is a failure that the caller may see: its text contains no secret and
// no cause. Every other error of this package is internal.
type Error struct {
	// Code is the class of the failure.
	Code Code
	// Reason is a constant in capitals for programs to act on. Empty: the code, or
	// the violations, say everything.
	Reason string
	// Message is for people.
	Message string
	// Violations name the fields that break a rule. Empty unless Code is Invalid.
	Violations []Violation
	// Metadata has more for programs, under the names of fields in JSON. Nil: none.
	Metadata map[string]string
	// Retryable says of an unknown outcome that the same call with the same
	// idempotency key returns the result.
	Retryable bool
}

// A Violation is one rule that one input field breaks.
type Violation struct {
	// Field is the name of the field, as in the proto message.
	Field string
	// Rule is an id of the rule for programs.
	Rule string
	// Message says what is wrong and what is allowed.
	Message string
}

// The failures without details.
var (
	// ErrNotFound also stands for a client of another organisation.
	ErrNotFound = &Error{Code: NotFound, Reason: "CLIENT_NOT_FOUND", Message: "client not found"}
	// ErrSecretNotFound reports that no client of the organisation is on record with
	// a secret.
	ErrSecretNotFound = &Error{Code: NotFound, Reason: "SECRET_NOT_FOUND", Message: "secret not found: no client of the organisation is on record with it"}
	// ErrExists reports a collision of random ids, which is not expected to happen.
	ErrExists = &Error{Code: AlreadyExists, Reason: "CLIENT_EXISTS", Message: "a client with this id already exists"}
	// ErrPublicClient reports that there is no secret to rotate.
	ErrPublicClient = &Error{Code: Precondition, Reason: "PUBLIC_CLIENT", Message: "client is public: it has no secret"}
	// ErrVersion reports that the expected version is not the client's.
	ErrVersion = &Error{Code: Aborted, Reason: "SECRET_VERSION_MISMATCH", Message: "the client has another secret version than expected: nothing was changed"}
	// ErrKeyInUse answers the slower one of two concurrent calls with the same
	// idempotency key.
	ErrKeyInUse = &Error{Code: Aborted, Reason: "IDEMPOTENCY_KEY_IN_USE", Message: "another call with this idempotency key was faster: repeat the call for its result"}
	// ErrKeyMismatch reports that the caller has used the key for another request.
	ErrKeyMismatch = &Error{Code: Invalid, Reason: "IDEMPOTENCY_MISMATCH", Message: "this idempotency key was used for another request"}
	// ErrSuperseded answers a repeated call whose secret is not the current one.
	ErrSuperseded = &Error{Code: Precondition, Reason: "SUPERSEDED", Message: "a later rotation has replaced the secret this call made"}
	// ErrConflict reports that each attempt was rolled back because other calls
	// changed the same client at the same time.
	ErrConflict = &Error{Code: Aborted, Reason: "CONFLICT", Message: "other calls changed the same data at the same time: nothing was changed, repeat the call"}
	// ErrDamagedSecret reports that this client's secret cannot be shown. The secret
	// still verifies, and a rotation replaces it with a sound one.
	ErrDamagedSecret = &Error{Code: Damaged, Reason: "SECRET_DAMAGED", Message: "the stored secret is damaged: rotate it"}
	// ErrKeyNotLoaded reports that this server cannot show a secret, or read a page
	// token, because its keyset lacks the key. Another server may have it.
	ErrKeyNotLoaded = &Error{Code: Unavailable, Reason: "KEY_NOT_LOADED", Message: "this server lacks a key of the keyset that the call needs: try again; nothing is damaged"}
)

// Failures of the database that a caller can act on.
var (
	errUnavailable    = &Error{Code: Unavailable, Message: "the database does not answer: try again"}
	errTimedOut       = &Error{Code: TimedOut, Message: "the deadline of the call has passed"}
	errCorrupt        = &Error{Code: Damaged, Message: "the stored data is damaged"}
	errOutcomeUnknown = &Error{Code: OutcomeUnknown, Reason: "OUTCOME_UNKNOWN", Message: "the connection to the database was lost while the call was committed: look whether it has changed anything before repeating it"}
	errRetryWithKey   = &Error{Code: OutcomeUnknown, Reason: "OUTCOME_UNKNOWN", Message: "the connection to the database was lost while the call was committed: repeat it with the same idempotency key", Retryable: true}
)

// reasonOverlap is the reason of newOverlapInProgress.
const reasonOverlap = "OVERLAP_IN_PROGRESS"

// newOverlapInProgress returns why a rotation with an overlap is refused: the
// client has two valid secrets.
func newOverlapInProgress(row *Client) *Error {
	end := row.PreviousSecretExpiresAt.UTC().Format(time.RFC3339Nano)
	metadata := map[string]string{"previousSecretExpiresAt": end}
	use := "has not been used in this overlap"
	if row.PreviousSecretLastUsedAt != nil {
		last := row.PreviousSecretLastUsedAt.UTC().Format(time.RFC3339Nano)
		metadata["previousSecretLastUsedAt"] = last
		use = "was last used at " + last
	}
	return &Error{
		Code: Precondition, Reason: reasonOverlap, Metadata: metadata,
		Message: "the previous secret is valid until " + end + " and " + use +
			": nothing was changed; wait, call RevokePreviousSecret, or set replacePrevious to end it now",
	}
}

// Error returns the message and, on lines of their own, every violation.
func (e *Error) Error() string {
	if len(e.Violations) == 0 {
		return e.Message
	}
	lines := []string{e.Message + ":"}
	for _, v := range e.Violations {
		lines = append(lines, fmt.Sprintf(" - %s: %s", v.Field, v.Message))
	}
	return strings.Join(lines, "\n")
}

// NewInvalid returns the error for input that breaks the given rules, or nil if
// there are none.
func NewInvalid(violations ...Violation) error {
	if len(violations) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Message: "validation errors", Violations: violations}
}

// uniqueViolation is a code of PostgreSQL's appendix A.
const uniqueViolation = "23505"

// isDuplicate reports that a value that must be unique is not. PostgreSQL says so
// in the language of the server, and by a code.
func isDuplicate(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == uniqueViolation || sqlgraph.IsUniqueConstraintError(err)
}

// toError returns err as the callers of this package see it: with an Error in it
// if there is one for it, and with the verb phrase in front otherwise.
func (s *Store) toError(verb string, err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ent.IsNotFound(err):
		return ErrNotFound
	case isDuplicate(err):
		return ErrExists
	}
	if known = errorOf(s.classify(err)); known != nil {
		return fmt.Errorf("%s: %w: %w", verb, known, err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// errorOf returns the Error for a class of failures of the database, or nil.
func errorOf(failure tx.Failure) *Error {
	switch failure {
	case tx.Unavailable:
		return errUnavailable
	case tx.Conflict:
		return ErrConflict
	case tx.Interrupted:
		return errTimedOut
	case tx.Corrupt:
		return errCorrupt
	case tx.OutcomeUnknown:
		return errOutcomeUnknown
	case tx.Unclassified:
		fallthrough
	default:
		return nil
	}
}
