// Package storage opens the keyset and the database of a server, in the order
// that is safe: the keyset first, then the database that it seals.
//
// It owns the rules of that order: a database whose keyset is missing or wrong is
// refused and not changed ([Open]). So is a database that was restored from a
// backup, until an operator accepts it ([RestoredMark]).
//
// It must not name a driver, or know the wire or what a client may do. Of clients it
// reads only the columns that the caller names ([ClientPages]).
package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
	"clientsd/server/secret"
)

const (
	databaseFile = "clientsd.db"
	keysetFile   = "keyset.json"
)

// Errors of Open. Each is a state that only the operator can put right.
var (
	// ErrNoData reports that there is no database yet.
	ErrNoData = errors.New("there is no database yet: clientsd serve creates one")
	// ErrKeysetMissing reports that a database exists but not its keyset.
	ErrKeysetMissing = errors.New("the database is there, but not its keyset: restore the keyset from its backup")
	// ErrKeysetNotGiven reports that no keyset was given for PostgreSQL.
	ErrKeysetNotGiven = errors.New("--database-url: a keyset is needed too, the same for all replicas: " +
		"give --keyset or CLIENTSD_KEYSET; clientsd keyset create creates one")
	// ErrKeysetWrong reports that no key of the keyset has sealed anything in the
	// database.
	ErrKeysetWrong = errors.New("the keyset is not the one this database was created with")
	// ErrKeysetOlder reports that the keyset lacks keys that have sealed something: it
	// is a copy from before a rotation.
	ErrKeysetOlder = errors.New("the keyset is older than the data: put its newest copy in its place")
)

// Config says where the data is and how to open it.
type Config struct {
	// Dir is the folder of the database. Required, unless Postgres names one.
	Dir string
	// KeysetFile is the path of the keyset. Empty: keyset.json in Dir; with
	// Postgres, none.
	KeysetFile string
	// KeysetContent is the keyset itself. It overrides KeysetFile. Empty: none.
	KeysetContent string
	// Create makes Open create a missing folder, keyset and database. Without it,
	// Open fails with ErrNoData. On PostgreSQL it has no effect.
	Create bool
	// Postgres is the database to use instead of a file in Dir, if it has a URL.
	Postgres database.Postgres
	// Migrate brings a PostgreSQL database up to date. Without it, Open fails with
	// [database.ErrOlderSchema] if it is not. A file is always brought up to date.
	Migrate bool
	// RequireSyncStandby makes Open fail with [database.ErrNoSyncStandby] if
	// PostgreSQL acknowledges a commit before a standby has it.
	RequireSyncStandby bool
	// RestorePolicy says what to do with a database that was restored from a backup.
	RestorePolicy RestorePolicy
}

// Validate returns one error that lists everything wrong, by the names of the
// flags, or nil.
func (c Config) Validate() error {
	if c.Postgres.URL == "" && c.RequireSyncStandby {
		return errors.New("--require-sync-standby: needs --database-url, a file has no standby")
	}
	return c.Postgres.Validate()
}

// Storage is an open database with its keyset.
type Storage struct {
	// DB is the database, its schema up to date.
	DB *database.DB
	// Keyset opens the sealed data in the database.
	Keyset *secret.Keyset
	// DatabaseFile and KeysetFile are the files to back up. They are empty if the
	// database is PostgreSQL, or the keyset did not come from a file.
	DatabaseFile, KeysetFile string
	// Restored names the backup that the database was restored from. Nil: it was
	// not restored, or it was accepted before.
	Restored *RestoredError
	// Warnings say which acknowledged changes PostgreSQL can lose.
	Warnings []string
	// Created reports whether Open created the database.
	Created bool
	// Migrated counts the migrations that Open applied to a database that existed.
	Migrated int
}

// Open opens a PostgreSQL database if the configuration names one, and the
// embedded default otherwise. It does not change a database whose keyset is
// missing or wrong.
//
// Errors: those of Config.Validate, ErrNoData, ErrKeysetMissing,
// ErrKeysetNotGiven, ErrKeysetWrong, ErrKeysetOlder, [*RestoredError], [database.ErrNewerSchema],
// [database.ErrOlderSchema] and [database.ErrNoSyncStandby], wrapped with the
// database or the file.
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
		return nil, fmt.Errorf("--data-dir %s: %w", config.Dir, err)
	}
	if !exists && !config.Create {
		return nil, fmt.Errorf("open %s: %w", config.Dir, ErrNoData)
	}
	if err := s.readKeyset(config); err != nil && (exists || !errors.Is(err, fs.ErrNotExist)) {
		return nil, s.missing(err)
	}
	if !exists {
		if s.Created, err = s.create(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.openDatabase(ctx, config.RestorePolicy); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database.
func (s *Storage) Close() error { return s.DB.Close() }

// readKeyset reads the keyset that the configuration names.
func (s *Storage) readKeyset(config Config) (err error) {
	if config.KeysetContent != "" {
		if s.Keyset, err = secret.ParseKeyset([]byte(config.KeysetContent)); err != nil {
			return fmt.Errorf("CLIENTSD_KEYSET: %w", err)
		}
		return nil
	}
	s.KeysetFile = config.KeysetPath()
	if s.Keyset, err = secret.ReadKeyset(s.KeysetFile); err != nil {
		return fmt.Errorf("--keyset %s: %w", s.KeysetFile, err)
	}
	return nil
}

// missing returns ErrKeysetMissing if err says that there is no keyset file.
func (s *Storage) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open keyset %s: %w", s.KeysetFile, ErrKeysetMissing)
	}
	return err
}

// openDatabase refuses a database before it writes anything.
func (s *Storage) openDatabase(ctx context.Context, policy RestorePolicy) error {
	unused, err := s.checkFile(ctx, policy)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.DatabaseFile, err)
	}
	if s.DB, err = database.OpenSQLite(ctx, s.DatabaseFile); err != nil {
		return err
	}
	if s.Migrated, err = s.DB.Migrate(ctx); err == nil {
		err = s.acceptRestored(ctx, policy)
	}
	if err == nil {
		err = s.bind(ctx, unused)
	}
	if err != nil {
		return errors.Join(err, s.DB.Close())
	}
	return nil
}

// checkFile returns the recorded keys that the keyset lacks and that seal nothing.
func (s *Storage) checkFile(ctx context.Context, policy RestorePolicy) (unused []uint32, err error) {
	db, err := database.OpenReadOnly(ctx, s.DatabaseFile)
	if err != nil {
		return nil, err
	}
	unused, known, err := checkKeyset(ctx, db, dialect.SQLite, s.Keyset)
	if err == nil && !known {
		err = ErrKeysetWrong
	}
	if err == nil {
		err = s.checkRestored(ctx, db, dialect.SQLite, policy)
	}
	return unused, errors.Join(err, db.Close())
}

func isFile(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
