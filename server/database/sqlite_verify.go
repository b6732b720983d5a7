package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"clientsd/ent/migrations"
	"clientsd/server/tx"
)

// Errors of VerifySQLite.
var (
	// ErrDamaged reports that a database is incomplete or breaks its own rules.
	ErrDamaged = errors.New("the database is damaged")
	// ErrForeign reports that a database is whole, but not one of clientsd.
	ErrForeign = errors.New("this is not a database of clientsd")
)

// VerifySQLite reads the whole database file at path, compares its tables with their
// indexes, and changes nothing.
//
// Errors: ErrDamaged; ErrForeign; [ErrNewerSchema].
func VerifySQLite(ctx context.Context, path string) error {
	err := verifyFile(ctx, path)
	if Classify(err) == tx.Corrupt {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("verify database: %w", err)
	}
	return nil
}

func verifyFile(ctx context.Context, path string) (err error) {
	pool, err := openPool(ctx, path, 1, "mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	var verdict string
	if err := pool.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return verifySchema(ctx, pool)
}

func verifySchema(ctx context.Context, pool *sql.DB) error {
	var migrated bool
	err := pool.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?", goose.DefaultTablename).Scan(&migrated)
	switch {
	case err != nil:
		return err
	case !migrated:
		return ErrForeign
	}
	folder, err := fs.Sub(migrations.Files, "sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, folder)
	if err != nil {
		return err
	}
	return refuseNewer(ctx, provider)
}
