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
)

// RotateInput says whose secret is rotated, and how.
type RotateInput struct {
	// ClientID is the client.
	ClientID uuid.UUID
	// ApplicationID is the application that owns the client: with another one
	// the client does not exist. Empty: whichever does.
	ApplicationID string
	// Release says whether the record is to carry the new secret.
	Release bool
	// Overlap is how long the secret that is valid now stays valid beside the
	// new one, up to the store's MaxOverlap. 0: it is invalid at once.
	Overlap time.Duration
	// ExpectedVersion is the version to rotate. 0: whichever it is.
	ExpectedVersion int64
	// Reason goes into the event. Empty: none.
	Reason string
	// Key makes a repeated call give the result of the first. Empty: each call
	// rotates.
	Key IdempotencyKey `json:"-"`
}

// Rotate gives a confidential client a new secret and makes the old one
// invalid, both in the one statement that commits, unless an overlap was asked
// for: then the old one ends by itself. Each call makes one new version,
// whatever else runs beside it, but for a repeated call under an idempotency
// key.
//
// Errors: ErrNotFound; ErrPublicClient; ErrVersion; Invalid for an overlap that
// is not allowed; for a key also ErrKeyMismatch, ErrSuperseded and ErrKeyInUse.
// Nothing has changed then.
func (s *Store) Rotate(ctx context.Context, caller Caller, in RotateInput) (Record, error) {
	if err := s.validateRotation(in); err != nil {
		return Record{}, err
	}
	// Made before the transaction begins: other writers wait for that one.
	made, err := s.newSecret(in.ClientID)
	if err != nil {
		return Record{}, err
	}
	r := rotation{caller, in, made}
	if s.gathering == nil || in.Key != (IdempotencyKey{}) {
		return s.rotateAlone(ctx, r)
	}
	row, err := s.gathering.rotate(ctx, r)
	switch {
	case errors.Is(err, errAlone):
		return s.rotateAlone(ctx, r)
	case err != nil:
		return Record{}, s.toError("rotate secret", err)
	default:
		return r.record(row), nil
	}
}

// rotateAlone makes a rotation in a transaction of its own.
func (s *Store) rotateAlone(ctx context.Context, r rotation) (Record, error) {
	record := Record{}
	err := s.inTx(ctx, "rotate secret", func(tx *ent.Tx) (err error) {
		record, err = s.once(ctx, tx, r.caller, attempt{key: r.in.Key, method: "rotate", input: r.in, release: r.in.Release},
			func() (Record, error) { return s.rotate(ctx, tx, r) })
		return err
	})
	if err != nil {
		return Record{}, r.in.Key.withRetryAdvice(err)
	}
	return record, nil
}

// rotate is the body of a rotation's transaction.
func (s *Store) rotate(ctx context.Context, tx *ent.Tx, r rotation) (Record, error) {
	row, err := s.replaceSecret(ctx, tx, r.caller, r.in, r.made)
	switch {
	case ent.IsNotFound(err):
		return Record{}, whyNotRotated(ctx, tx, r.caller, r.in)
	case err != nil:
		return Record{}, err
	}
	return r.record(row), s.record(ctx, tx, r.caller, row,
		event{kind: clientevent.KindSecretRotated, released: r.in.Release, reason: r.in.Reason})
}

// A rotation is a call of Rotate that is ready for its transaction.
type rotation struct {
	caller Caller
	in     RotateInput
	made   issued
}

// record is what the call answers, given the row as the rotation leaves it.
func (r rotation) record(row *Client) Record {
	record := Record{Client: row}
	if r.in.Release {
		record.Secret = r.made.plain
	}
	return record
}

// whyNotRotated tells why no row met the conditions of a rotation.
func whyNotRotated(ctx context.Context, tx *ent.Tx, caller Caller, in RotateInput) error {
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
	default:
		return ErrVersion
	}
}

// previousUntil is when the secret that is valid now ends, or nil: at once.
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
