// Package reencrypt seals everything in a database with the primary key of its
// keyset.
//
// It owns the loop over the rows, a transaction for each batch of clients. It runs
// alongside servers, can be interrupted and started again at any time, and skips
// what the primary key has sealed already.
//
// It must not know a driver, the wire, or what a secret is for: opening and sealing
// are server/secret's.
package reencrypt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/server/secret"
	"clientsd/server/storage"
	"clientsd/server/tx"
)

// batchSize is how many clients one transaction changes. Others can write between
// two transactions.
const batchSize = 200

// A Result counts what a run has done.
type Result struct {
	// Resealed counts the rows that the run has sealed with the primary key.
	Resealed int
	// Damaged holds the clients whose secret does not open with any key that is in
	// use. The secret still verifies, and a rotation replaces it.
	Damaged []uuid.UUID
}

// Run seals with the primary key everything that another key has sealed. It calls
// progress with the number of clients since the last call. It fails with a
// [*secret.UnknownKeyError] if another process uses a key that the keyset lacks.
func Run(ctx context.Context, read *ent.Client, transact tx.Transactor, keyset *secret.Keyset, progress func(clients int)) (Result, error) {
	var result Result
	columns := []string{oauthclient.FieldSecretDigest, oauthclient.FieldSecretSealed}
	for page, err := range storage.ClientPages(ctx, read, batchSize, columns) {
		clients := len(page)
		if err == nil {
			err = result.addClients(ctx, transact, keyset, page)
		}
		if err != nil {
			return result, fmt.Errorf("reseal secrets: %w", err)
		}
		progress(clients)
	}
	resealed := 0
	sealer, err := keyset.Sealer(ctx)
	if err == nil {
		err = transact(ctx, func(ctx context.Context, tx *ent.Tx) (err error) {
			resealed, err = resealKeys(ctx, tx, keyset, sealer)
			return err
		})
	}
	if err != nil {
		return result, fmt.Errorf("reseal signing keys: %w", err)
	}
	result.Resealed += resealed
	return result, nil
}

// addClients reseals a page of clients in one transaction.
func (r *Result) addClients(ctx context.Context, transact tx.Transactor, keyset *secret.Keyset, page []*ent.OAuthClient) error {
	sealer, err := keyset.Sealer(ctx)
	if err != nil {
		return err
	}
	page = slices.DeleteFunc(page, func(row *ent.OAuthClient) bool {
		return len(row.SecretSealed) == 0 || isSealedBy(sealer, row.SecretSealed)
	})
	if len(page) == 0 {
		return nil
	}
	var done Result
	err = transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		done = Result{} // the transaction may run again
		for _, row := range page {
			if err := done.addClient(ctx, tx, keyset, sealer, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Resealed += done.Resealed
	r.Damaged = append(r.Damaged, done.Damaged...)
	return nil
}

func (r *Result) addClient(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset, sealer secret.Sealer, row *ent.OAuthClient) error {
	plain, err := keyset.Open(row.ID, row.SecretDigest, row.SecretSealed)
	if err != nil {
		damaged, err := isDamage(ctx, keyset, err)
		if damaged {
			r.Damaged = append(r.Damaged, row.ID)
		}
		return err
	}
	sealed, err := sealer.Seal(row.ID, secret.DigestOf(row.ID, plain), plain)
	if err != nil {
		return err
	}
	// Only if the row still holds what was read: a rotation may have stored a newer
	// secret since.
	n, err := tx.OAuthClient.Update().
		Where(oauthclient.ID(row.ID), oauthclient.SecretSealed(row.SecretSealed)).
		SetSecretSealed(sealed).
		Save(ctx)
	r.Resealed += n
	return err
}

// isDamage reports whether data does not open although no key in use is missing. It
// returns every other error.
func isDamage(ctx context.Context, keyset *secret.Keyset, err error) (bool, error) {
	var unknown *secret.UnknownKeyError
	switch {
	case errors.Is(err, secret.ErrDamaged):
		return true, nil
	case !errors.As(err, &unknown):
		return false, err
	}
	inUse, listErr := keyset.IsInUse(ctx, unknown.ID)
	if listErr != nil || inUse {
		return false, errors.Join(err, listErr)
	}
	return true, nil
}

// resealKeys reseals the signing keys and the keyset check. It returns how many
// signing keys it has changed.
func resealKeys(ctx context.Context, tx *ent.Tx, keyset *secret.Keyset, sealer secret.Sealer) (resealed int, err error) {
	rows, err := tx.SigningKey.Query().All(ctx)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if isSealedBy(sealer, row.PrivateSealed) {
			continue
		}
		private, err := keyset.OpenSigningKey(row.ID, row.PrivateSealed)
		if err != nil {
			return 0, fmt.Errorf("key %s: %w", row.ID, err)
		}
		sealed, err := sealer.SealSigningKey(row.ID, private)
		if err != nil {
			return 0, fmt.Errorf("key %s: %w", row.ID, err)
		}
		if err := tx.SigningKey.UpdateOne(row).SetPrivateSealed(sealed).Exec(ctx); err != nil {
			return 0, fmt.Errorf("key %s: %w", row.ID, err)
		}
		resealed++
	}
	sealed, err := sealer.SealCheck()
	if err != nil {
		return 0, err
	}
	return resealed, tx.KeysetCheck.Update().SetSealed(sealed).Exec(ctx)
}

func isSealedBy(sealer secret.Sealer, sealed []byte) bool {
	id, ok := secret.KeyOf(sealed)
	return ok && id == sealer.KeyID()
}
