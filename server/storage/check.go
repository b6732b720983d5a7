package storage

import (
	"context"

	"clientsd/ent"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// checkID is the id of the one row in keyset_checks.
const checkID = 1

// addCheck stores the keyset check, by which the database recognises its keyset.
func addCheck(ctx context.Context, transact tx.Transactor, keyset *secret.Keyset) error {
	sealed, err := keyset.SealCheck()
	if err != nil {
		return err
	}
	return transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		return tx.KeysetCheck.Create().SetID(checkID).SetSealed(sealed).Exec(ctx)
	})
}

// KnowsKeyset reports whether the keyset check of the database is of this keyset. It
// returns false if there is no check, and ErrKeysetWrong if it is of another keyset.
func KnowsKeyset(ctx context.Context, db *ent.Client, keyset *secret.Keyset) (bool, error) {
	check, err := db.KeysetCheck.Get(ctx, checkID)
	switch {
	case ent.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	case keyset.OpenCheck(check.Sealed) != nil:
		return false, ErrKeysetWrong
	default:
		return true, nil
	}
}
