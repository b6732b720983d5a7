// Package storage opens what a server keeps, in the order that keeps it safe:
// the keyset first, then the database it belongs to.
//
// It imports secret, database and ent; it knows nothing of clients or the wire.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clientsd/ent"
	"clientsd/server/database"
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
	// ErrKeysetWrong says that a database was made with another keyset.
	ErrKeysetWrong = errors.New("the keyset is not the one this database was made with")
)

// Config says where everything is.
type Config struct {
	// Dir is the folder of the database. Required.
	Dir string
	// KeysetFile is the path of the keyset. Empty: keyset.json in Dir.
	KeysetFile string
	// KeysetContent is the keyset itself and wins over KeysetFile. Empty: none.
	KeysetContent string
	// Create makes what is missing: folder, keyset and database. Without it,
	// Open fails with ErrNoData.
	Create bool
}

// Storage is an open database and the keyset that goes with it.
type Storage struct {
	// DB is the database, its schema up to date.
	DB *database.DB
	// Keyset opens what the database holds sealed.
	Keyset *secret.Keyset
	// DatabaseFile and KeysetFile are what to back up. KeysetFile is empty when
	// the keyset did not come from a file.
	DatabaseFile, KeysetFile string
	// Created says that Open made the database.
	Created bool
	// Migrated counts the migrations that Open applied to a database that was
	// there already.
	Migrated int
}

// Open opens the embedded default. A database whose keyset is missing or wrong
// is not touched.
//
// Errors: ErrNoData, ErrKeysetMissing, ErrKeysetWrong and
// [database.ErrNewerSchema], wrapped with the file they are about.
func Open(ctx context.Context, config Config) (*Storage, error) {
	s := &Storage{DatabaseFile: filepath.Join(config.Dir, databaseFile)}
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
	if err := s.openDatabase(ctx); err != nil {
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
	s.KeysetFile = config.KeysetFile
	if s.KeysetFile == "" {
		s.KeysetFile = filepath.Join(config.Dir, keysetFile)
	}
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

// openDatabase compares the keyset before anything is written.
func (s *Storage) openDatabase(ctx context.Context) (err error) {
	if err := s.checkKeyset(ctx); err != nil {
		return fmt.Errorf("open %s: %w", s.DatabaseFile, err)
	}
	if s.DB, err = database.OpenSQLite(ctx, s.DatabaseFile); err != nil {
		return err
	}
	if s.Migrated, err = s.DB.Migrate(ctx); err != nil {
		return errors.Join(err, s.DB.Close())
	}
	return nil
}

func (s *Storage) checkKeyset(ctx context.Context) error {
	db, err := database.OpenReadOnly(ctx, s.DatabaseFile)
	if err != nil {
		return err
	}
	check, err := db.KeysetCheck.Get(ctx, checkID)
	err = errors.Join(err, db.Close())
	switch {
	case ent.IsNotFound(err):
		return ErrKeysetWrong
	case err != nil:
		return err
	case s.Keyset.OpenCheck(check.Sealed) != nil:
		return ErrKeysetWrong
	default:
		return nil
	}
}

func isFile(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
