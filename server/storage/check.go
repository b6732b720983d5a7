package storage

import (
	"context"

	"clientsd/ent"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// checkID is the id of the one row in keyset_checks.
const checkID = 1

// addCheck stores the keyset check, by which the database recognises its keyset. The
// keyset is not bound to the database yet.
func addCheck(ctx context.Context, transact tx.Transactor, keyset *secret.Keyset) error {
	sealer, err := keyset.Sealer(ctx)
	if err != nil {
		return err
	}
	sealed, err := sealer.SealCheck()
	if err != nil {
		return err
	}
	return transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		if err := insertKey(ctx, tx, sealer.KeyID()); err != nil {
			return err
		}
		return tx.KeysetCheck.Create().SetID(checkID).SetSealed(sealed).Exec(ctx)
	})
}
