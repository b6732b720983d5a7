package rollback

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/server/tx"
)

// lostVersions is how far the versions of secrets jump when a rollback is
// accepted: further than anyone has rotated between backup and restore.
const lostVersions = 1_000_000

// recordEvents writes an event for each client that has a secret.
const recordEvents = `
INSERT INTO client_events (
	client_id, organisation, kind, at, secret_version, secret_released,
	actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, api, reason)
SELECT id, organisation, 'updated', updated_at, secret_version, false,
	'', 'clientsd serve --accept-rollback', '', '', '', '', 'clientsd', $1
FROM oauth_clients WHERE has_secret ORDER BY id`

// Accept removes the mark of a database, all in one transaction, and returns how
// many clients the rollback may have changed; 0 if there is no mark. The schema
// must be that of ent, and dialectName ent's name of the database. What happens
// to each client that has a secret:
//
//   - The version of its secret jumps. Versions that were given out between the
//     backup and its restore are lost. If they were given out again, two secrets
//     would have the same version, and whoever remembers a lost one, beside a
//     cached secret or as an expected_secret_version, would take one for the other.
//   - Its previous secret, which an overlap has left valid, ends: it may have been
//     revoked since the backup.
//   - An event says so.
//
// Idempotency keys stay: without them a repeated call would rotate a second
// time. Because of the jump they do not give an old secret away either, the
// answer is that it was superseded.
func Accept(ctx context.Context, transact tx.Transactor, dialectName string, now time.Time) (clients int, err error) {
	err = transact(ctx, func(tx *ent.Tx) (err error) {
		clients, err = accept(ctx, tx, dialectName, now.UTC().Truncate(time.Microsecond))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("accept rollback: %w", err)
	}
	return clients, nil
}

func accept(ctx context.Context, tx *ent.Tx, dialectName string, now time.Time) (clients int, err error) {
	if err := takeTime(ctx, tx, dialectName); err != nil {
		return 0, err
	}
	// First, so that of several servers that start at once one accepts.
	text, marked, err := scan[string](tx.QueryContext(ctx, removeMark))
	if err != nil || !marked {
		return 0, err
	}
	clients, err = tx.OAuthClient.Update().
		Where(oauthclient.HasSecret(true)).
		AddSecretVersion(lostVersions).AddRevision(1).SetUpdatedAt(now).
		ClearPreviousSecretDigest().ClearPreviousSecretExpiresAt().ClearPreviousSecretLastUsedAt().
		Save(ctx)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, recordEvents, "restored from "+parse(text).String())
	return clients, err
}

// takeTime lifts the bound on statements until the transaction ends: changing a
// million clients takes longer than the statement of a call may.
func takeTime(ctx context.Context, tx *ent.Tx, dialectName string) error {
	if dialectName != dialect.Postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0")
	return err
}
