package oauthclient

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// What a rotation does, in SQL. Both databases number the arguments in the order
// of their first use. The columns that a statement returns stand at its end: see
// newStatements.
const (
	// rotateSQL replaces the secret of a confidential client: never read, then
	// write. The secret it has becomes the previous one, and the one that was the
	// previous one has ended; without an overlap it has ended itself. No row meets the
	// conditions if the client is not the caller's, is public or has another version,
	// or if an overlap would end another one without leave to.
	rotateSQL = `
UPDATE oauth_clients SET
	secret_digest = $1,
	secret_sealed = $2,
	secret_version = secret_version + 1,
	secret_created_at = $3,
	ended_digest = CASE WHEN $4 THEN COALESCE(previous_secret_digest, ended_digest) ELSE secret_digest END,
	ended_version = CASE WHEN NOT $4 THEN secret_version WHEN previous_secret_digest IS NULL THEN ended_version ELSE secret_version - 1 END,
	ended_at = CASE WHEN NOT $4 THEN $3 WHEN previous_secret_digest IS NULL THEN ended_at
		WHEN previous_secret_expires_at < $3 THEN previous_secret_expires_at ELSE $3 END,
	ended_presented_at = NULL,
	previous_secret_digest = CASE WHEN $4 THEN secret_digest END,
	previous_secret_expires_at = $5,
	previous_secret_last_used_at = NULL,
	revision = revision + 1,
	updated_at = $3
WHERE id = $6 AND organisation = $7 AND has_secret
	AND (application_id = $8 OR $8 = '')
	AND (secret_version = $9 OR $9 = 0)
	AND ($10 OR NOT $4 OR previous_secret_expires_at IS NULL OR previous_secret_expires_at <= $3)
RETURNING `

	// revokeSQL ends an overlap early. No row meets the conditions if there is none.
	revokeSQL = `
UPDATE oauth_clients SET
	ended_digest = previous_secret_digest,
	ended_version = secret_version - 1,
	ended_at = $1,
	ended_presented_at = NULL,
	previous_secret_digest = NULL,
	previous_secret_expires_at = NULL,
	previous_secret_last_used_at = NULL,
	revision = revision + 1,
	updated_at = $1
WHERE id = $2 AND organisation = $3 AND previous_secret_expires_at > $1
RETURNING `

	// eventSQL records what happened to a client.
	eventSQL = insertEvent + `
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

	insertEvent = `
INSERT INTO client_events (client_id, organisation, kind, at, secret_version, secret_released, reason,
	actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, api, secret_lookup, secret_refused)`

	// keySQL remembers the result of a call under its key, in the place of one that
	// can no longer be repeated. It writes no row if another call has the key.
	keySQL = insertKey + `
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (key) DO UPDATE SET
	request = excluded.request,
	client_id = excluded.client_id,
	secret_version = excluded.secret_version,
	created_at = excluded.created_at
WHERE idempotency_keys.created_at < $6`

	insertKey = `
INSERT INTO idempotency_keys (key, request, client_id, secret_version, created_at)`

	// rotateManySQL is rotateSQL and eventSQL for many clients, on PostgreSQL only.
	//
	// It leaves out a client that somebody else is changing, so that no rotation
	// waits for the lock of another one, and none of these can be part of a deadlock.
	// It also leaves out a client that does not meet the conditions.
	rotateManySQL = `
WITH asked AS (
	SELECT
		unnest($2::uuid[]) AS id,
		unnest($3::text[]) AS organisation,
		unnest($4::text[]) AS application_id,
		unnest($5::bigint[]) AS secret_version,
		unnest($6::bytea[]) AS digest,
		unnest($7::bytea[]) AS sealed,
		unnest($8::timestamptz[]) AS previous_until,
		unnest($9::bool[]) AS released,
		unnest($10::text[]) AS reason,
		unnest($11::text[]) AS issuer,
		unnest($12::text[]) AS subject,
		unnest($13::text[]) AS client_id,
		unnest($14::text[]) AS token_organisation,
		unnest($15::text[]) AS request_id,
		unnest($16::text[]) AS address,
		unnest($17::text[]) AS api,
		unnest($18::bool[]) AS replace_previous,
		unnest($19::bytea[]) AS lookup
), free AS (
	SELECT c.id FROM oauth_clients c JOIN asked USING (id)
	WHERE c.organisation = asked.organisation AND c.has_secret
		AND (c.application_id = asked.application_id OR asked.application_id = '')
		AND (c.secret_version = asked.secret_version OR asked.secret_version = 0)
		AND (asked.replace_previous OR asked.previous_until IS NULL
			OR c.previous_secret_expires_at IS NULL OR c.previous_secret_expires_at <= $1)
	FOR NO KEY UPDATE OF c SKIP LOCKED
), rotated AS (
	UPDATE oauth_clients c SET
		secret_digest = asked.digest,
		secret_sealed = asked.sealed,
		secret_version = c.secret_version + 1,
		secret_created_at = $1,
		ended_digest = CASE WHEN asked.previous_until IS NOT NULL THEN COALESCE(c.previous_secret_digest, c.ended_digest) ELSE c.secret_digest END,
		ended_version = CASE WHEN asked.previous_until IS NULL THEN c.secret_version
			WHEN c.previous_secret_digest IS NULL THEN c.ended_version ELSE c.secret_version - 1 END,
		ended_at = CASE WHEN asked.previous_until IS NULL THEN $1 WHEN c.previous_secret_digest IS NULL THEN c.ended_at
			ELSE LEAST(c.previous_secret_expires_at, $1) END,
		ended_presented_at = NULL,
		previous_secret_digest = CASE WHEN asked.previous_until IS NOT NULL THEN c.secret_digest END,
		previous_secret_expires_at = asked.previous_until,
		previous_secret_last_used_at = NULL,
		revision = c.revision + 1,
		updated_at = $1
	FROM asked JOIN free USING (id)
	WHERE c.id = asked.id
	RETURNING c.*
), recorded AS (` + insertEvent + `
	SELECT id, rotated.organisation, 'secret_rotated', $1, rotated.secret_version, released, reason,
		issuer, subject, asked.client_id, token_organisation, request_id, address, api, lookup, false
	FROM rotated JOIN asked USING (id)
)
SELECT `
	fromRotated = ` FROM rotated`
)

// statements are the statements that return clients.
type statements struct{ rotate, rotateMany, revoke string }

// newStatements names the columns that ent reads, in the order that it reads them.
func newStatements() statements {
	columns := strings.Join(oauthclient.Columns, ", ")
	return statements{rotate: rotateSQL + columns, rotateMany: rotateManySQL + columns + fromRotated, revoke: revokeSQL + columns}
}

// replaceSecret rotates one client. It returns a NotFoundError if no row meets the
// conditions.
func (s *Store) replaceSecret(ctx context.Context, tx *unit, r *rotation, now time.Time) (*Client, error) {
	return scan(tx.QueryContext(ctx, s.statements.rotate,
		r.secret.digest, r.secret.sealed, now, r.in.Overlap > 0, r.in.previousUntil(now),
		r.in.ClientID, r.caller.Organisation, r.in.ApplicationID, r.in.ExpectedVersion, r.in.ReplacePrevious))
}

func scan(rows *sql.Rows, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	return ent.ScanOAuthClient(rows)
}

// replaceSecrets rotates many clients, each at most once, in one transaction. It
// returns the rows of those that were rotated.
func (s *Store) replaceSecrets(ctx context.Context, rotations []*rotation) (map[uuid.UUID]*Client, error) {
	rotated := make(map[uuid.UUID]*Client, len(rotations))
	err := s.transactStatement(ctx, s.statements.rotateMany, manyArgs(rotations, s.now()), func(rows ent.Rows) error {
		clear(rotated)
		all, err := ent.ScanOAuthClients(rows)
		for _, row := range all {
			rotated[row.ID] = row
		}
		return err
	})
	return rotated, err
}

// manyArgs returns the arguments of rotateManySQL: the time, and then a list for
// each column of asked.
func manyArgs(rotations []*rotation, now time.Time) []any {
	return []any{
		now,
		column(rotations, func(r *rotation) string { return r.in.ClientID.String() }),
		column(rotations, func(r *rotation) string { return r.caller.Organisation }),
		column(rotations, func(r *rotation) string { return r.in.ApplicationID }),
		column(rotations, func(r *rotation) int64 { return r.in.ExpectedVersion }),
		column(rotations, func(r *rotation) []byte { return r.secret.digest }),
		column(rotations, func(r *rotation) []byte { return r.secret.sealed }),
		column(rotations, func(r *rotation) *time.Time { return r.in.previousUntil(now) }),
		column(rotations, func(r *rotation) bool { return r.in.IncludeSecret }),
		column(rotations, func(r *rotation) string { return r.in.Reason }),
		column(rotations, func(r *rotation) string { return r.caller.Issuer }),
		column(rotations, func(r *rotation) string { return r.caller.Subject }),
		column(rotations, func(r *rotation) string { return r.caller.ClientID }),
		column(rotations, func(r *rotation) string { return r.caller.TokenOrganisation }),
		column(rotations, func(r *rotation) string { return r.caller.RequestID }),
		column(rotations, func(r *rotation) string { return r.caller.Address }),
		column(rotations, func(r *rotation) string { return r.caller.API }),
		column(rotations, func(r *rotation) bool { return r.in.ReplacePrevious }),
		column(rotations, func(r *rotation) []byte { return r.secret.lookup }),
	}
}

func column[T any](rotations []*rotation, of func(*rotation) T) []T {
	list := make([]T, len(rotations))
	for i, r := range rotations {
		list[i] = of(r)
	}
	return list
}
