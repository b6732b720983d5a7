package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"clientsd/ent/migrations"
)

// ErrNewerSchema says that a newer binary has migrated the database; this one
// must not touch it.
var ErrNewerSchema = errors.New("the database has a newer schema than this binary knows: use the newer binary")

// Migrate brings the schema up to date and returns how many migrations it
// applied: 0 if there was nothing to do. [ErrNewerSchema] if the database is
// ahead of this binary.
//
// It runs on a connection without foreign keys and checks them afterwards: to
// change a table SQLite has to rebuild it, and dropping the old one would
// delete the rows that refer to it.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	folder, err := fs.Sub(migrations.Files, "sqlite")
	if err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	return db.migrateFrom(ctx, folder)
}

func (db *DB) migrateFrom(ctx context.Context, folder fs.FS) (applied int, err error) {
	pool, err := openPool(ctx, db.path, 1, "_foreign_keys=off", "_txlock=immediate", "_journal_mode=WAL", "_synchronous=FULL")
	if err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	applied, err = migrate(ctx, pool, folder)
	if err != nil {
		return applied, fmt.Errorf("migrate database: %w", err)
	}
	return applied, nil
}

func migrate(ctx context.Context, pool *sql.DB, folder fs.FS) (int, error) {
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, folder)
	if err != nil {
		return 0, err
	}
	if err := refuseNewer(ctx, provider); err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return len(results), err
	}
	return len(results), checkForeignKeys(ctx, pool)
}

func refuseNewer(ctx context.Context, provider *goose.Provider) error {
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > known {
		return ErrNewerSchema
	}
	return nil
}

func checkForeignKeys(ctx context.Context, pool *sql.DB) error {
	rows, err := pool.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err below tells
	if rows.Next() {
		return errors.New("rows refer to rows that do not exist")
	}
	return rows.Err()
}
