package database

import (
	"context"
	"database/sql"
	"errors"

	"clientsd/ent"
)

// Mark is the mark of a transaction, with fields that tests can change.
type Mark struct {
	ID             sql.NullString
	Timeline, Life string
}

// MarkOf marks a transaction.
func MarkOf(ctx context.Context, tx *ent.Tx) (Mark, error) {
	made, err := markOf(ctx, tx)
	if err != nil {
		return Mark{}, err
	}
	return Mark{made.id, made.timeline, made.life}, nil
}

// Outcome asks for the outcome of a transaction whose commit failed with lost.
func (db *DB) Outcome(ctx context.Context, m Mark, lost error) (rolledBack bool, err error) {
	err = db.outcome(ctx, mark{m.ID, m.Timeline, m.Life}, lost)
	return errors.Is(err, errRolledBack), err
}
