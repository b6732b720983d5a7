package oauthclient

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// updateMany is the UPDATE of a rotation, for many at once, with their events. It
// is written for PostgreSQL.
//
// A client that somebody else is changing is left out, so that no rotation waits
// for a lock that is none of its own, and none of these can be part of a
// deadlock. So is one that does not meet the conditions.
const updateMany = `
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
		unnest($14::text[]) AS home,
		unnest($15::text[]) AS request_id,
		unnest($16::text[]) AS address,
		unnest($17::text[]) AS api
), free AS (
	SELECT c.id FROM oauth_clients c JOIN asked USING (id)
	WHERE c.organisation = asked.organisation AND c.has_secret
		AND (asked.application_id = '' OR c.application_id = asked.application_id)
		AND (asked.secret_version = 0 OR c.secret_version = asked.secret_version)
	FOR NO KEY UPDATE OF c SKIP LOCKED
), rotated AS (
	UPDATE oauth_clients c SET
		secret_digest = asked.digest,
		secret_sealed = asked.sealed,
		secret_version = c.secret_version + 1,
		secret_created_at = $1,
		previous_secret_digest = CASE WHEN asked.previous_until IS NOT NULL THEN c.secret_digest END,
		previous_secret_expires_at = asked.previous_until,
		previous_secret_last_used_at = NULL,
		revision = c.revision + 1,
		updated_at = $1
	FROM asked JOIN free USING (id)
	WHERE c.id = asked.id
	RETURNING c.*
), recorded AS (
	INSERT INTO client_events (client_id, organisation, kind, at, secret_version, secret_released, reason,
		actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, api)
	SELECT id, rotated.organisation, 'secret_rotated', $1, rotated.secret_version, released, reason,
		issuer, subject, asked.client_id, home, request_id, address, api
	FROM rotated JOIN asked USING (id)
)
SELECT `

// rotateMany makes rotations of different clients in one transaction.
func (s *Store) rotateMany(ctx context.Context, rotations []rotation) (map[uuid.UUID]*Client, error) {
	made := make(map[uuid.UUID]*Client, len(rotations))
	err := s.transactStatement(ctx, s.statements.updateMany, s.columnsOf(rotations), func(rows ent.Rows) error {
		clear(made)
		all, err := ent.ScanOAuthClients(rows)
		for _, row := range all {
			made[row.ID] = row
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// columnsOf are the arguments of rotateMany: the time, and then a list for each
// column of what is asked for.
func (s *Store) columnsOf(rotations []rotation) []any {
	now := s.now()
	return []any{
		now,
		column(rotations, func(r rotation) string { return r.in.ClientID.String() }),
		column(rotations, func(r rotation) string { return r.caller.Organisation }),
		column(rotations, func(r rotation) string { return r.in.ApplicationID }),
		column(rotations, func(r rotation) int64 { return r.in.ExpectedVersion }),
		column(rotations, func(r rotation) []byte { return r.made.digest }),
		column(rotations, func(r rotation) []byte { return r.made.sealed }),
		column(rotations, func(r rotation) *time.Time { return r.in.previousUntil(now) }),
		column(rotations, func(r rotation) bool { return r.in.Release }),
		column(rotations, func(r rotation) string { return r.in.Reason }),
		column(rotations, func(r rotation) string { return r.caller.Issuer }),
		column(rotations, func(r rotation) string { return r.caller.Subject }),
		column(rotations, func(r rotation) string { return r.caller.ClientID }),
		column(rotations, func(r rotation) string { return r.caller.Home }),
		column(rotations, func(r rotation) string { return r.caller.RequestID }),
		column(rotations, func(r rotation) string { return r.caller.Address }),
		column(rotations, func(r rotation) string { return r.caller.API }),
	}
}

func column[T any](rotations []rotation, of func(rotation) T) []T {
	list := make([]T, len(rotations))
	for i, r := range rotations {
		list[i] = of(r)
	}
	return list
}

func updateManyText() string {
	return updateMany + strings.Join(oauthclient.Columns, ", ") + " FROM rotated"
}
