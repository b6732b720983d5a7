package oauthclient

import (
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"clientsd/ent"
	"clientsd/server/tx"
)

// A Kind says what sort of failure an Error is. Each API maps it once.
type Kind int

const (
	// NotFound: there is no such client in the caller's organisation.
	NotFound Kind = iota + 1
	// Invalid: the input breaks a rule; Error.Violations say which.
	Invalid
	// AlreadyExists: a client with this id exists.
	AlreadyExists
	// Precondition: the client is not in a state that allows the call.
	Precondition
	// Aborted: something else has changed the client first; nothing was changed.
	Aborted
	// Damaged: what is stored does not open or does not fit together.
	Damaged
	// Unavailable: whether anything was changed is not known, and the same call
	// under the same idempotency key finds out.
	Unavailable
	// Unknown: whether anything was changed is not known.
	Unknown
)

// An Error is a failure the caller is meant to understand: its text may go out.
// Every other error of this package is internal.
type Error struct {
	// Kind is the sort of failure.
	Kind Kind
	// Reason is a constant in capitals for programs to act on.
	Reason string
	// Message is for people.
	Message string
	// Violations name the fields that break a rule. Empty unless Kind is Invalid.
	Violations []Violation
}

// uniqueViolation is a code of PostgreSQL's appendix A.
const uniqueViolation = "23505"

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
	ErrNotFound = &Error{Kind: NotFound, Reason: "CLIENT_NOT_FOUND", Message: "client not found"}
	// ErrExists is a collision of random ids: it takes no part in normal life.
	ErrExists = &Error{Kind: AlreadyExists, Reason: "CLIENT_EXISTS", Message: "a client with this id already exists"}
	// ErrPublicClient answers a rotation where there is no secret to rotate.
	ErrPublicClient = &Error{Kind: Precondition, Reason: "PUBLIC_CLIENT", Message: "client is public: it has no secret"}
	// ErrVersion answers a rotation of a version that is not the client's.
	ErrVersion = &Error{Kind: Aborted, Reason: "SECRET_VERSION_MISMATCH", Message: "the client has another secret version than expected: nothing was changed"}
	// ErrKeyInUse answers the one of two calls at once under one idempotency key
	// that came second.
	ErrKeyInUse = &Error{Kind: Aborted, Reason: "IDEMPOTENCY_KEY_IN_USE", Message: "another call with this idempotency key was faster: repeat the call for its result"}
	// ErrKeyMismatch answers a key that the caller has used for another request.
	ErrKeyMismatch = &Error{Kind: Invalid, Reason: "IDEMPOTENCY_MISMATCH", Message: "this idempotency key was used for another request"}
	// ErrSuperseded answers a repeated call whose secret is not the current one.
	ErrSuperseded = &Error{Kind: Precondition, Reason: "SUPERSEDED", Message: "a later rotation has replaced the secret this call made"}
	// ErrConflict answers a call that others, which changed the same client at the
	// same time, stood in the way of each time it was tried.
	ErrConflict = &Error{Kind: Aborted, Reason: "CONFLICT", Message: "other calls changed the same data at the same time: nothing was changed, repeat the call"}
	// ErrRepeat answers a call under an idempotency key when the answer of the
	// database to its commit was lost.
	ErrRepeat = &Error{Kind: Unavailable, Reason: "OUTCOME_UNKNOWN", Message: "the connection to the database was lost while the call was committed: repeat it with the same idempotency key"}
	// ErrOutcomeUnknown is ErrRepeat for a call without an idempotency key.
	ErrOutcomeUnknown = &Error{Kind: Unknown, Reason: "OUTCOME_UNKNOWN", Message: "the connection to the database was lost while the call was committed: look whether it has changed anything before repeating it"}
	// ErrDamagedSecret says that this client's secret cannot be shown. It still
	// verifies, and a rotation makes a sound one.
	ErrDamagedSecret = &Error{Kind: Damaged, Reason: "SECRET_DAMAGED", Message: "the stored secret is damaged: rotate it"}
)

// Error is the message and, behind it, every violation.
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

// NewInvalid is the error for input that breaks the given rules, or nil if
// there are none.
func NewInvalid(violations ...Violation) error {
	if len(violations) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Reason: "INVALID_FIELDS", Message: "validation errors", Violations: violations}
}

// isDuplicate reports a value that must be unique and is not. PostgreSQL says so
// in the language of the server, and by a code.
func isDuplicate(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == uniqueViolation || sqlgraph.IsUniqueConstraintError(err)
}

// fromEnt turns what ent knows of a failure into an Error; everything else it
// passes on, with the verb phrase in front.
func fromEnt(verb string, err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ent.IsNotFound(err):
		return ErrNotFound
	case isDuplicate(err):
		return ErrExists
	case errors.Is(err, tx.ErrConflict):
		return fmt.Errorf("%s: %w: %w", verb, ErrConflict, err)
	case errors.Is(err, tx.ErrOutcomeUnknown):
		return fmt.Errorf("%s: %w: %w", verb, ErrOutcomeUnknown, err)
	default:
		return fmt.Errorf("%s: %w", verb, err)
	}
}
