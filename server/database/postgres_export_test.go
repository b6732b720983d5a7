package database

import (
	"context"
	"database/sql"
	"errors"

	"clientsd/ent"
)

// TxID is a txID with fields that tests can change.
type TxID struct {
	XID                  sql.NullString
	Timeline, CrashEpoch string
}

// TxIDOf identifies a transaction.
func TxIDOf(ctx context.Context, tx *ent.Tx) (TxID, error) {
	id, err := txIDOf(ctx, tx)
	if err != nil {
		return TxID{}, err
	}
	return TxID{id.xid, id.timeline, id.crashEpoch}, nil
}

// Outcome asks for the outcome of a transaction whose commit failed with lost.
func (db *DB) Outcome(ctx context.Context, id TxID, lost error) (rolledBack bool, err error) {
	err = db.outcome(ctx, txID{id.XID, id.Timeline, id.CrashEpoch}, lost)
	return errors.Is(err, errRolledBack), err
}
