package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
	"clientsd/server/batch"
	servertx "clientsd/server/tx"
)

// RotateInput says whose secret is rotated, and how. The names in the tags are
// part of the fingerprint of a call: see idempotentCall.
type RotateInput struct {
	// ClientID is the client.
	ClientID uuid.UUID `json:"client_id"`
	// ApplicationID is the application that owns the client: with another one
	// the client does not exist. Empty: any application may.
	ApplicationID string `json:"application_id,omitzero"`
	// IncludeSecret says whether the record is to carry the new secret.
	IncludeSecret bool `json:"include_secret,omitzero"`
	// Overlap is how long the secret that is valid now stays valid alongside the new
	// one, up to the store's MaxOverlap. 0: it becomes invalid immediately.
	Overlap time.Duration `json:"overlap,omitzero"`
	// ReplacePrevious lets a rotation with an overlap end an earlier overlap. Without
	// it such a rotation is refused: machines may still use the previous secret.
	ReplacePrevious bool `json:"replace_previous,omitzero"`
	// ExpectedVersion is the version to rotate. 0: whichever it is.
	ExpectedVersion int64 `json:"expected_version,omitzero"`
	// Reason goes into the event. Empty: none.
	Reason string `json:"reason,omitzero"`
	// Key makes a repeated call return the result of the first. Empty: each call
	// rotates.
	Key IdempotencyKey `json:"-"`
}

// Rotate gives a confidential client a new secret. In the one statement that
// commits it the old secret becomes invalid, unless the caller asked for an overlap:
// then it ends by itself. Each call makes one new version, however many run
// concurrently, except a repeated call with an idempotency key.
//
// Errors: ErrNotFound; ErrPublicClient; ErrVersion; Precondition with the reason
// OVERLAP_IN_PROGRESS; Invalid for an overlap that is not allowed; for a key also
// ErrKeyMismatch, ErrSuperseded and ErrKeyInUse. Nothing has changed then.
func (s *Store) Rotate(ctx context.Context, caller Caller, in RotateInput) (Record, error) {
	if err := s.validateRotation(in); err != nil {
		return Record{}, err
	}
	generated, err := s.generateSecret(ctx, in.ClientID)
	if err != nil {
		return Record{}, err
	}
	r := &rotation{caller: caller, in: in, secret: generated}
	r.deadline, _ = ctx.Deadline()
	if !s.canShare(r) {
		return s.rotateOne(ctx, r)
	}
	err = s.rotations.Do(ctx, r)
	switch {
	case errors.Is(err, batch.ErrRunSolo):
		return s.rotateOne(ctx, r)
	case err != nil:
		return Record{}, s.toError("rotate secret", err)
	default:
		s.logEvent(ctx, r.event().of(caller, r.row))
		return r.record(r.row), nil
	}
}

// rotateOne runs a rotation in a transaction of its own.
func (s *Store) rotateOne(ctx context.Context, r *rotation) (Record, error) {
	record := Record{}
	err := s.inTx(ctx, "rotate secret", func(ctx context.Context, tx *unit) (err error) {
		call := idempotentCall{key: r.in.Key, method: "rotate", input: r.in, includeSecret: r.in.IncludeSecret}
		record, err = s.idempotent(ctx, tx, r.caller, call, func() (Record, error) { return s.rotate(ctx, tx, r) })
		return err
	})
	if err != nil {
		return Record{}, r.in.Key.withRetryAdvice(err)
	}
	return record, nil
}

// rotate runs the body of a rotation's transaction.
func (s *Store) rotate(ctx context.Context, tx *unit, r *rotation) (Record, error) {
	now := s.now()
	row, err := s.replaceSecret(ctx, tx, r, now)
	switch {
	case ent.IsNotFound(err):
		return Record{}, whyNotRotated(ctx, tx, r.caller, r.in, now)
	case err != nil:
		return Record{}, err
	}
	return r.record(row), s.record(ctx, tx, r.caller, row, r.event())
}

func (r *rotation) event() event {
	return event{kind: clientevent.KindSecretRotated, released: r.in.IncludeSecret, reason: r.in.Reason, issued: r.secret.lookup}
}

// record returns what the call answers, given the row as the rotation leaves it.
func (r *rotation) record(row *Client) Record {
	record := Record{Client: row}
	if r.in.IncludeSecret {
		record.Secret = r.secret.plain
	}
	return record
}

// whyNotRotated finds out why no row met the conditions of a rotation at that time.
// A version that the caller did not expect comes first: what the caller knows of the
// overlap is out of date, too. If nothing is in the way any more, another call
// changed the client in between: the transaction runs again.
func whyNotRotated(ctx context.Context, tx *unit, caller Caller, in RotateInput, now time.Time) error {
	query := tx.OAuthClient.Query().Where(visible(caller, in.ClientID))
	if in.ApplicationID != "" {
		query.Where(oauthclient.ApplicationID(in.ApplicationID))
	}
	row, err := query.Only(ctx)
	switch {
	case err != nil:
		return err
	case !row.HasSecret:
		return ErrPublicClient
	case in.ExpectedVersion != 0 && in.ExpectedVersion != row.SecretVersion:
		return ErrVersion
	case in.Overlap > 0 && !in.ReplacePrevious && hasPrevious(row, now):
		return newOverlapInProgress(row)
	default:
		return servertx.ErrConflict
	}
}

// previousUntil returns when the secret that is valid now ends, or nil: immediately.
func (in RotateInput) previousUntil(now time.Time) *time.Time {
	if in.Overlap == 0 {
		return nil
	}
	until := now.Add(in.Overlap)
	return &until
}

func (s *Store) validateRotation(in RotateInput) error {
	var v violations
	if in.Overlap < 0 || in.Overlap > s.maxOverlap {
		v.add("previous_secret_valid_for", "previous_secret_valid_for", fmt.Sprintf("must be from 0s to %ds", int64(s.maxOverlap.Seconds())))
	}
	v.text("reason", in.Reason)
	return NewInvalid(v...)
}
