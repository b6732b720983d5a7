package database

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// lockAttempts is how often, once a second, a process that migrates asks for the
// lock of another that does.
const lockAttempts = 300

// A Schema is how far a database is migrated, as this binary sees it.
type Schema int

const (
	// EmptySchema: nothing was ever migrated.
	EmptySchema Schema = iota
	// OlderSchema: migrations of this binary are missing.
	OlderSchema
	// CurrentSchema is what this binary works with.
	CurrentSchema
	// NewerSchema: a newer binary has migrated.
	NewerSchema
)

// Schema tells how far a PostgreSQL database is migrated, and changes nothing.
func (db *DB) Schema(ctx context.Context) (Schema, error) {
	folder, err := db.migrations()
	if err != nil {
		return EmptySchema, fmt.Errorf("read schema version: %w", err)
	}
	schema, err := schemaOf(ctx, db.reader, folder)
	if err != nil {
		return EmptySchema, fmt.Errorf("read schema version: %w", err)
	}
	return schema, nil
}

// schemaOf asks in SQL: goose would make its table to look into it.
func schemaOf(ctx context.Context, pool *sql.DB, folder fs.FS) (Schema, error) {
	known, err := latest(folder)
	if err != nil {
		return EmptySchema, err
	}
	var exists bool
	if err := pool.QueryRowContext(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return EmptySchema, err
	}
	var current int64
	if err := pool.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version").Scan(&current); err != nil {
		return EmptySchema, err
	}
	switch {
	case current == 0:
		return EmptySchema, nil
	case current < known:
		return OlderSchema, nil
	case current > known:
		return NewerSchema, nil
	default:
		return CurrentSchema, nil
	}
}

// latest returns the version of the last migration in a folder.
func latest(folder fs.FS) (int64, error) {
	names, err := fs.Glob(folder, "*.sql") // in order
	if err != nil {
		return 0, err
	}
	return goose.NumericComponent(path.Base(names[len(names)-1]))
}

// migratePostgres holds an advisory lock of the session while it migrates:
// the second process finds everything done.
func migratePostgres(ctx context.Context, pool *sql.DB, folder fs.FS) (int, error) {
	if err := refuseNewerPostgres(ctx, pool, folder); err != nil {
		return 0, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockAttempts))
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, folder, goose.WithSessionLocker(locker))
	if err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return len(results), err
	}
	return len(results), refuseNewerPostgres(ctx, pool, folder) // who held the lock may have been newer
}

func refuseNewerPostgres(ctx context.Context, pool *sql.DB, folder fs.FS) error {
	schema, err := schemaOf(ctx, pool, folder)
	if err == nil && schema == NewerSchema {
		return ErrNewerSchema
	}
	return err
}
