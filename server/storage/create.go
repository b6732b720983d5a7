package storage

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"clientsd/server/database"
	"clientsd/server/durable"
	"clientsd/server/secret"
)

// create makes a database with its tables and its keyset check, and only then
// gives it its name: whatever interrupts it, a database that has its name is
// whole. It reports false if another process was first, which is no error.
func create(ctx context.Context, path string, keyset *secret.Keyset) (bool, error) {
	if err := durable.MakeFolder(filepath.Dir(path)); err != nil {
		return false, err
	}
	// Create, not Replace: it never replaces a database that is there.
	err := durable.Create(path, func(unnamed string) error { return initialise(ctx, unnamed, keyset) })
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
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
