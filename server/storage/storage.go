// Package storage opens what a server keeps, in the order that keeps it safe:
// the keyset first, then the database it belongs to.
//
// It imports secret, rollback, database and ent; it knows nothing of clients or the wire.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
	"clientsd/server/rollback"
	"clientsd/server/secret"
)

const (
	databaseFile = "clientsd.db"
	keysetFile   = "keyset.json"
)

// Errors of Open, each a state that only the operator can put right.
var (
	// ErrNoData says that there is nothing to open yet.
	ErrNoData = errors.New("there is no database yet: clientsd serve makes one")
	// ErrKeysetMissing says that a database is there, but not its keyset.
	ErrKeysetMissing = errors.New("the database is there, but not its keyset: restore the keyset from its backup")
	// ErrKeysetNotGiven says that no keyset was named for PostgreSQL.
	ErrKeysetNotGiven = errors.New("--database-url: a keyset is needed too, the same for all replicas: " +
		"give --keyset or CLIENTSD_KEYSET; clientsd keyset create makes one")
	// ErrKeysetWrong says that a database was made with another keyset.
	ErrKeysetWrong = errors.New("the keyset is not the one this database was made with")
)

// Config says where everything is.
type Config struct {
	// Dir is the folder of the database. Required, unless Postgres names one.
	Dir string
	// KeysetFile is the path of the keyset. Empty: keyset.json in Dir; with
	// Postgres, none.
	KeysetFile string
	// KeysetContent is the keyset itself and wins over KeysetFile. Empty: none.
	KeysetContent string
	// Create makes what is missing: folder, keyset and database. Without it,
	// Open fails with ErrNoData. On PostgreSQL nothing is made.
	Create bool
	// Postgres is the database to use instead of a file in Dir, if it has a URL.
	Postgres database.Postgres
	// Migrate brings a PostgreSQL database up to date. Without it, Open fails with
	// [database.ErrOlderSchema] if it is not. A file is always brought up to date.
	Migrate bool
	// RequireSyncStandby makes Open fail with [database.ErrNoSyncStandby] if
	// PostgreSQL acknowledges a commit before a standby has it.
	RequireSyncStandby bool
	// Restored says what to do with a database that was restored from a backup.
	Restored Restored
}

// Validate says everything that is wrong, by the names of the flags, or returns
// nil.
func (c Config) Validate() error {
	if c.Postgres.URL == "" && c.RequireSyncStandby {
		return errors.New("--require-sync-standby: needs --database-url, a file has no standby")
	}
	return c.Postgres.Validate()
}

// Storage is an open database and the keyset that goes with it.
type Storage struct {
	// DB is the database, its schema up to date.
	DB *database.DB
	// Keyset opens what the database holds sealed.
	Keyset *secret.Keyset
	// DatabaseFile and KeysetFile are what to back up. They are empty if the
	// database is PostgreSQL, or the keyset did not come from a file.
	DatabaseFile, KeysetFile string
	// Restored tells from which backup the database was restored. Nil: from none,
	// or that was accepted before.
	Restored *rollback.Error
	// Warnings say what PostgreSQL can lose although it was acknowledged.
	Warnings []string
	// Created says that Open made the database.
	Created bool
	// Migrated counts the migrations that Open applied, but for those of a file
	// that it made.
	Migrated int
}

// Open opens a PostgreSQL database if the configuration names one, and the
// embedded default otherwise. A database whose keyset is missing or wrong is not
// touched.
//
// Errors: those of Config.Validate, ErrNoData, ErrKeysetMissing,
// ErrKeysetNotGiven, ErrKeysetWrong, [*rollback.Error], [database.ErrNewerSchema],
// [database.ErrOlderSchema] and [database.ErrNoSyncStandby], wrapped with the
// database or file they are about.
func Open(ctx context.Context, config Config) (*Storage, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Postgres.URL != "" {
		return openPostgres(ctx, config)
	}
	return openFile(ctx, config)
}

func openFile(ctx context.Context, config Config) (*Storage, error) {
	s := &Storage{DatabaseFile: config.DatabasePath()}
	exists, err := isFile(s.DatabaseFile)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", config.Dir, err)
	}
	if !exists && !config.Create {
		return nil, fmt.Errorf("open %s: %w", config.Dir, ErrNoData)
	}
	if err := s.openKeyset(config, exists); err != nil {
		return nil, err
	}
	if !exists {
		if s.Created, err = create(ctx, s.DatabaseFile, s.Keyset); err != nil {
			return nil, fmt.Errorf("create %s: %w", s.DatabaseFile, err)
		}
	}
	if err := s.openDatabase(ctx, config.Restored); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database.
func (s *Storage) Close() error { return s.DB.Close() }

// openKeyset loads the keyset, or makes one if there is no database yet either.
func (s *Storage) openKeyset(config Config, databaseExists bool) (err error) {
	if config.KeysetContent != "" {
		s.Keyset, err = secret.ParseKeyset([]byte(config.KeysetContent))
		return err
	}
	s.KeysetFile = config.KeysetPath()
	s.Keyset, err = secret.ReadKeyset(s.KeysetFile)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case databaseExists:
		return fmt.Errorf("open keyset %s: %w", s.KeysetFile, ErrKeysetMissing)
	}
	if err := os.MkdirAll(filepath.Dir(s.KeysetFile), folderMode); err != nil {
		return fmt.Errorf("create keyset: %w", err)
	}
	s.Keyset, err = secret.CreateKeyset(s.KeysetFile)
	if errors.Is(err, fs.ErrExist) { // another process was first
		s.Keyset, err = secret.ReadKeyset(s.KeysetFile)
	}
	return err
}

// openDatabase refuses what it must before anything is written.
func (s *Storage) openDatabase(ctx context.Context, restored Restored) (err error) {
	if err := s.checkFile(ctx, restored); err != nil {
		return fmt.Errorf("open %s: %w", s.DatabaseFile, err)
	}
	if s.DB, err = database.OpenSQLite(ctx, s.DatabaseFile); err != nil {
		return err
	}
	if s.Migrated, err = s.DB.Migrate(ctx); err == nil {
		err = s.acceptRestored(ctx, restored)
	}
	if err != nil {
		return errors.Join(err, s.DB.Close())
	}
	return nil
}

func (s *Storage) checkFile(ctx context.Context, restored Restored) error {
	db, err := database.OpenReadOnly(ctx, s.DatabaseFile)
	if err != nil {
		return err
	}
	known, err := isKnown(ctx, db, s.Keyset)
	if err == nil && !known {
		err = ErrKeysetWrong
	}
	if err == nil {
		err = s.checkRestored(ctx, db, dialect.SQLite, restored)
	}
	return errors.Join(err, db.Close())
}

func isFile(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
