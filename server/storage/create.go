package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clientsd/server/database"
	"clientsd/server/durable"
	"clientsd/server/secret"
)

// create makes the keyset, if there is none, and a database with its tables and its
// keyset check. Only then it gives the database its name: whatever interrupts it, a
// database that has its name is whole. It reports false if another process was first,
// which is no error.
//
// It begins with a file in the folder of the database, so that no keyset is left where
// there can be no database.
func (s *Storage) create(ctx context.Context) (created bool, err error) {
	folder := filepath.Dir(s.DatabaseFile)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		defer func() {
			if !created {
				_ = os.Remove(folder) // unless something is in it
			}
		}()
	}
	if err := durable.MakeFolder(folder); err != nil {
		return false, fmt.Errorf("--data-dir %s: %w", folder, err)
	}
	var keysetErr error
	err = durable.Create(s.DatabaseFile, func(unnamed string) error {
		if keysetErr = s.createKeyset(); keysetErr != nil {
			return keysetErr
		}
		return initialise(ctx, unnamed, s.Keyset)
	})
	switch {
	case keysetErr != nil:
		return false, keysetErr
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("--data-dir %s: create database: %w", folder, err)
	default:
		return true, nil
	}
}

// createKeyset does nothing if there is one.
func (s *Storage) createKeyset() error {
	if s.Keyset != nil {
		return nil
	}
	err := durable.MakeFolder(filepath.Dir(s.KeysetFile))
	if err == nil {
		s.Keyset, err = secret.CreateKeyset(s.KeysetFile)
	}
	if errors.Is(err, fs.ErrExist) { // another process was first
		s.Keyset, err = secret.ReadKeyset(s.KeysetFile)
	}
	if err != nil {
		return fmt.Errorf("--keyset %s: %w", s.KeysetFile, err)
	}
	return nil
}

// initialise makes the tables and the row that knows the keyset. Closing the last
// connection moves everything from the WAL into the file.
func initialise(ctx context.Context, path string, keyset *secret.Keyset) error {
	db, err := database.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	_, err = db.Migrate(ctx)
	if err == nil {
		err = addCheck(ctx, db.Transact, keyset)
	}
	return errors.Join(err, db.Close())
}
