package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"entgo.io/ent/dialect"
	"github.com/pressly/goose/v3"

	"clientsd/ent/migrations"
)

// Errors of a database whose schema is not the one of this binary.
var (
	// ErrNewerSchema says that a newer binary has migrated the database; this one
	// must not touch it.
	ErrNewerSchema = errors.New("the database has a newer schema than this binary knows: use the newer binary")
	// ErrOlderSchema says that the database needs migrations of this binary.
	ErrOlderSchema = errors.New("the database is not migrated for this binary: run clientsd migrate, or clientsd serve --migrate")
)

// Migrate brings the schema up to date and returns how many migrations it
// applied: 0 if there was nothing to do, or if another process was faster.
// [ErrNewerSchema] if the database is ahead of this binary.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	folder, err := db.migrations()
	if err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	return db.migrateFrom(ctx, folder)
}

// migrations returns the SQL files for this kind of database.
func (db *DB) migrations() (fs.FS, error) {
	if db.dialect == dialect.Postgres {
		return fs.Sub(migrations.Files, "postgres")
	}
	return fs.Sub(migrations.Files, "sqlite")
}

func (db *DB) migrateFrom(ctx context.Context, folder fs.FS) (applied int, err error) {
	pool, err := db.openForMigration(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if db.dialect == dialect.Postgres {
		applied, err = migratePostgres(ctx, pool, folder)
	} else {
		applied, err = migrateSQLite(ctx, pool, folder)
	}
	if err != nil {
		return applied, fmt.Errorf("migrate database: %w", err)
	}
	return applied, nil
}

// migrateSQLite runs on a connection without foreign keys and checks them
// afterwards: to change a table SQLite has to rebuild it, and dropping the old
// one would delete the rows that refer to it.
func migrateSQLite(ctx context.Context, pool *sql.DB, folder fs.FS) (int, error) {
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
