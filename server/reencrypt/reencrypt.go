// Package reencrypt seals everything in a database anew with the primary key of its
// keyset, and tells which keys are still needed.
//
// It works beside running servers, a batch a transaction, and can be broken off
// and begun again at any time: what the primary key has sealed is left alone.
package reencrypt

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/ent/signingkey"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// batchSize is how many clients one transaction looks at: others can write
// between two of them.
const batchSize = 200

// A Result says what a run has done.
type Result struct {
	// Resealed counts what is sealed by the primary key now and was not before.
	Resealed int
	// Damaged are the clients whose secret does not open with any key: it still
	// verifies, and a rotation makes a sound one.
	Damaged []uuid.UUID
}

// Run seals anew what another than the primary key has sealed. It calls progress
// with the number of clients it has looked at since the last call.
func Run(ctx context.Context, transact tx.Transactor, keyset *secret.Keyset, progress func(clients int)) (Result, error) {
	var result Result
	for after, more := (uuid.UUID{}), true; more; {
		var done batch
		err := transact(ctx, func(tx *ent.Tx) (err error) {
			done, err = resealClients(ctx, tx, keyset, after)
			return err
		})
		if err != nil {
			return result, fmt.Errorf("reseal secrets: %w", err)
		}
		result.add(done.Result)
		progress(done.clients)
		after, more = done.last, done.clients > 0
	}
	var done Result
	err := transact(ctx, func(tx *ent.Tx) (err error) {
		done, err = resealKeys(ctx, tx, keyset)
		return err
	})
	if err != nil {
		return result, fmt.Errorf("reseal signing keys: %w", err)
	}
	result.add(done)
	return result, nil
}

// A batch is what one transaction has done. A transaction that has to be run
// again begins with an empty one.
type batch struct {
	Result

	clients int       // it has looked at
	last    uuid.UUID // of them
}

func (r *Result) add(more Result) {
	r.Resealed += more.Resealed
	r.Damaged = append(r.Damaged, more.Damaged...)
}

// resealClients reseals the batch that comes after a client.
func resealClients(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset, after uuid.UUID) (batch, error) {
	rows, err := tx.OAuthClient.Query().
		Where(oauthclient.IDGT(after)).
		Order(oauthclient.ByID()).
		Limit(batchSize).
		Select(oauthclient.FieldSecretDigest, oauthclient.FieldSecretSealed).
		All(ctx)
	if err != nil || len(rows) == 0 {
		return batch{}, err
	}
	done := batch{clients: len(rows), last: rows[len(rows)-1].ID}
	for _, row := range rows {
		if err := done.client(ctx, tx, keyset, row); err != nil {
			return batch{}, err
		}
	}
	return done, nil
}

func (r *Result) client(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset, row *ent.OAuthClient) error {
	if len(row.SecretSealed) == 0 || isPrimary(keyset, row.SecretSealed) {
		return nil
	}
	plain, err := keyset.Open(row.ID, row.SecretDigest, row.SecretSealed)
	if errors.Is(err, secret.ErrDamaged) {
		r.Damaged = append(r.Damaged, row.ID)
		return nil
	} else if err != nil {
		return err
	}
	sealed, err := keyset.Seal(row.ID, secret.DigestOf(row.ID, plain), plain)
	if err != nil {
		return err
	}
	// Only over what was read: a rotation in between has sealed a newer secret.
	n, err := tx.OAuthClient.Update().
		Where(oauthclient.ID(row.ID), oauthclient.SecretSealed(row.SecretSealed)).
		SetSecretSealed(sealed).
		Save(ctx)
	r.Resealed += n
	return err
}

// resealKeys reseals the signing keys and the keyset check.
func resealKeys(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset) (Result, error) {
	var done Result
	rows, err := tx.SigningKey.Query().All(ctx)
	if err != nil {
		return done, err
	}
	for _, row := range rows {
		if err := done.signingKey(ctx, tx, keyset, row); err != nil {
			return done, fmt.Errorf("key %s: %w", row.ID, err)
		}
	}
	sealed, err := keyset.SealCheck()
	if err != nil {
		return done, err
	}
	return done, tx.KeysetCheck.Update().SetSealed(sealed).Exec(ctx)
}

func (r *Result) signingKey(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset, row *ent.SigningKey) error {
	if isPrimary(keyset, row.PrivateSealed) {
		return nil
	}
	private, err := keyset.OpenSigningKey(row.ID, row.PrivateSealed)
	if err != nil {
		return err
	}
	sealed, err := keyset.SealSigningKey(row.ID, private)
	if err != nil {
		return err
	}
	r.Resealed++
	return tx.SigningKey.UpdateOne(row).SetPrivateSealed(sealed).Exec(ctx)
}

// Usage counts by key what is sealed in the database. The schema may be older
// than ent's.
func Usage(ctx context.Context, db *ent.Client) (map[uint32]int, error) {
	usage := make(map[uint32]int)
	count := func(sealed []byte) {
		if id, ok := secret.KeyOf(sealed); ok {
			usage[id]++
		}
	}
	keys, err := db.SigningKey.Query().Select(signingkey.FieldPrivateSealed).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("count sealed rows: %w", err)
	}
	for _, row := range keys {
		count(row.PrivateSealed)
	}
	checks, err := db.KeysetCheck.Query().All(ctx)
	if err != nil {
		return nil, fmt.Errorf("count sealed rows: %w", err)
	}
	for _, row := range checks {
		count(row.Sealed)
	}
	return usage, countClients(ctx, db, count)
}

func countClients(ctx context.Context, db *ent.Client, count func(sealed []byte)) error {
	for after := (uuid.UUID{}); ; {
		rows, err := db.OAuthClient.Query().
			Where(oauthclient.IDGT(after)).
			Order(oauthclient.ByID()).
			Limit(batchSize).
			Select(oauthclient.FieldSecretSealed).
			All(ctx)
		if err != nil {
			return fmt.Errorf("count sealed rows: %w", err)
		}
		for _, row := range rows {
			count(row.SecretSealed)
		}
		if len(rows) < batchSize {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

func isPrimary(keyset *secret.Keyset, sealed []byte) bool {
	id, ok := secret.KeyOf(sealed)
	return ok && id == keyset.Primary()
}
