package database

import (
	"context"
	"errors"
	"fmt"
	"os"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"clientsd/ent"
	"clientsd/server/tx"
)

// CopySQLite copies the database file from to the new file to, which only its
// owner can read and which needs no second file. It calls last, which may write to
// the copy. The caller flushes the copy to disk, and removes it after an error.
//
// The copy is what was committed at one moment: SQLite reads all of it in one
// transaction. Servers may write to the database meanwhile, because in WAL mode a
// reader does not stop a writer; the WAL grows until the copy is complete.
//
// CopySQLite does not check the database: SQLite copies a damaged row without an
// error, and leaves out a row that only an index still has. See VerifySQLite.
//
// Errors: [os.ErrExist] if to exists.
func CopySQLite(ctx context.Context, from, to string, last func(tx.Transactor) error) error {
	if err := copySQLite(ctx, from, to, last); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return nil
}

func copySQLite(ctx context.Context, from, to string, last func(tx.Transactor) error) (err error) {
	source, err := openPool(ctx, from, 1, "mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := touch(to, os.O_EXCL); err != nil {
		return err
	}
	name, err := dataSource(to, nil)
	if err != nil {
		return err
	}
	if _, err := source.ExecContext(ctx, "VACUUM INTO ?", name); err != nil {
		return err
	}
	target, err := openPool(ctx, to, 1, "_foreign_keys=on")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	copied := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, target)))
	return last(func(ctx context.Context, body tx.Body) error { return tx.InTx(ctx, copied, body) })
}
