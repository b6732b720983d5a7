package storage

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/ent"
)

// lostVersions is how far accepting a restored database moves the versions of its
// secrets: further than anyone has rotated between backup and restore.
const lostVersions = 1_000_000

// loseVersions moves the version of each secret, and ends each overlap.
const loseVersions = `
UPDATE oauth_clients SET
	ended_digest = COALESCE(previous_secret_digest, ended_digest),
	ended_version = CASE WHEN previous_secret_digest IS NULL THEN ended_version ELSE secret_version - 1 END,
	ended_at = CASE WHEN previous_secret_digest IS NULL THEN ended_at
		WHEN previous_secret_expires_at < $1 THEN previous_secret_expires_at ELSE $1 END,
	previous_secret_digest = NULL,
	previous_secret_expires_at = NULL,
	previous_secret_last_used_at = NULL,
	secret_version = secret_version + $2,
	revision = revision + 1,
	updated_at = $1
WHERE has_secret`

// recordEvents writes an event for each client that has a secret.
const recordEvents = `
INSERT INTO client_events (
	client_id, organisation, kind, at, secret_version, secret_released,
	actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, api, reason)
SELECT id, organisation, 'updated', updated_at, secret_version, false,
	'', 'clientsd serve --accept-rollback', '', '', '', '', 'clientsd', $1
FROM oauth_clients WHERE has_secret ORDER BY id`

// acceptRestored accepts a restored database if the policy says so: it removes the
// mark, in one transaction with what follows from it. For each client that has a
// secret:
//
//   - The version of its secret jumps. The versions between backup and restore are
//     lost. Without the jump they would be given out again: two secrets would have
//     the same version, and someone who remembers a lost version, with a cached secret
//     or as an expected_secret_version, would mistake one secret for the other.
//   - Its previous secret, still valid after a rotation with an overlap, ends: it
//     may have been revoked since the backup.
//   - An event records it.
//
// Idempotency keys stay: without them a repeated call would rotate a second time.
// Because of the jump they do not give away an old secret either: the answer is
// that the secret was superseded.
func (s *Storage) acceptRestored(ctx context.Context, policy RestorePolicy) error {
	if s.Restored == nil || policy != AcceptRestored {
		return nil
	}
	clock, err := s.DB.Clock(ctx, time.Now)
	if err != nil {
		return err
	}
	now := clock().UTC().Truncate(time.Microsecond)
	err = s.DB.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error { return accept(ctx, tx, s.DB.Dialect(), now) })
	if err != nil {
		return fmt.Errorf("accept rollback: %w", err)
	}
	return nil
}

// accept does nothing if the mark is gone: another server has accepted it.
func accept(ctx context.Context, tx *ent.Tx, dialectName string, now time.Time) error {
	if err := liftStatementTimeout(ctx, tx, dialectName); err != nil {
		return err
	}
	// First, so that of several servers that start together only one accepts.
	text, marked, err := scan[string](tx.QueryContext(ctx, removeMark))
	if err != nil || !marked {
		return err
	}
	if _, err = tx.ExecContext(ctx, loseVersions, now, lostVersions); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, recordEvents, "restored from "+parseMark(text).String())
	return err
}

// liftStatementTimeout lifts the bound on statements until the transaction ends:
// changing a million clients takes longer than a statement of a call may.
func liftStatementTimeout(ctx context.Context, tx *ent.Tx, dialectName string) error {
	if dialectName != dialect.Postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0")
	return err
}
