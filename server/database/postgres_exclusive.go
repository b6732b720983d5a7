package database

import (
	"context"
	"errors"

	"entgo.io/ent/dialect"

	"clientsd/ent"
	"clientsd/server/tx"
)

// tryExclusive takes a lock that ends with its transaction. It belongs to a schema:
// another one in the same database has another table of that name.
const tryExclusive = "SELECT pg_try_advisory_xact_lock(1667853413, 'goose_db_version'::regclass::oid::int)"

// TransactExclusive runs body as Transact does, unless another server runs such a
// transaction now. Then it does nothing and returns nil. A SQLite database has one
// server.
func (db *DB) TransactExclusive(ctx context.Context, body tx.Body) error {
	if db.dialect == dialect.SQLite {
		return db.Transact(ctx, body)
	}
	return db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		locked, err := tryLock(ctx, tx)
		if err != nil || !locked {
			return err
		}
		return body(ctx, tx)
	})
}

func tryLock(ctx context.Context, tx *ent.Tx) (locked bool, err error) {
	rows, err := tx.QueryContext(ctx, tryExclusive)
	if err != nil {
		return false, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err below tells
	if rows.Next() {
		err = rows.Scan(&locked)
	}
	return locked, errors.Join(err, rows.Err())
}
