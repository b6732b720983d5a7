package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"clientsd/server/database"
	"clientsd/server/secret"
)

// folderMode keeps the data folder to its owner.
const folderMode = 0o700

// create makes a database with its tables and its keyset check, and only then
// gives it its name: whatever interrupts it, a database that has its name is
// whole. It reports false if another process was first, which is no error.
func create(ctx context.Context, path string, keyset *secret.Keyset) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // what stays behind is an empty database without a name
	unnamed := filepath.Join(scratch, databaseFile)
	if err := fill(ctx, unnamed, keyset); err != nil {
		return false, err
	}
	// Link, not rename: it never replaces a database that is there.
	switch err := os.Link(unnamed, path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, secret.SyncFolder(filepath.Dir(path))
}

// fill makes the tables and the row that knows the keyset. Closing the last
// connection moves everything from the WAL into the file.
func fill(ctx context.Context, path string, keyset *secret.Keyset) error {
	db, err := database.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(fillOpen(ctx, db, keyset), db.Close())
}

func fillOpen(ctx context.Context, db *database.DB, keyset *secret.Keyset) error {
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	return addCheck(ctx, db.Transact, keyset)
}
