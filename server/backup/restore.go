package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
	"clientsd/server/durable"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// ErrOccupied reports that there is a database, or a file that one has left behind.
// SQLite would apply an old WAL to the restored file.
var ErrOccupied = errors.New("there is a database already: stop its server, move it away with its -wal and -shm files, and restore again")

// Restore copies the backup source to the new database file target. It checks first
// that the backup is complete, that this binary knows its schema, and that the
// keyset has all keys that sealed it. It marks the database as restored, also when
// the backup was taken with another tool and carries no mark.
//
// Errors: ErrOccupied; [database.ErrDamaged], [database.ErrForeign] and
// [database.ErrNewerSchema] if source is no sound database of clientsd;
// [storage.ErrKeysetWrong] and [storage.ErrKeysetOlder]; the end of ctx. Nothing was written then.
func Restore(ctx context.Context, source, target string, keyset *secret.Keyset, progress Progress) (Copy, error) {
	created, err := restore(ctx, source, target, keyset, progress)
	if errors.Is(err, ErrExists) { // another process was faster
		err = ErrOccupied
	}
	if err != nil {
		return Copy{}, fmt.Errorf("restore %s to %s: %w", source, target, err)
	}
	return created, nil
}

func restore(ctx context.Context, source, target string, keyset *secret.Keyset, progress Progress) (Copy, error) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(target + suffix); err == nil {
			return Copy{}, ErrOccupied
		}
	}
	if _, err := os.Stat(source); err != nil { // SQLite would not name the missing file
		return Copy{}, err
	}
	if err := database.VerifySQLite(ctx, source); err != nil {
		return Copy{}, err
	}
	if err := checkKeyset(ctx, source, keyset); err != nil {
		return Copy{}, err
	}
	if err := durable.MakeFolder(filepath.Dir(target)); err != nil {
		return Copy{}, err
	}
	return publish(ctx, source, target, time.Time{}, progress)
}

// checkKeyset fails unless the keyset is that of the database and has every key that
// sealed a row: the keyset may be a copy from before its last rotation.
func checkKeyset(ctx context.Context, path string, keyset *secret.Keyset) (err error) {
	db, err := database.OpenReadOnly(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	known, err := storage.CheckKeyset(ctx, db, dialect.SQLite, keyset)
	if err == nil && !known {
		return database.ErrForeign
	}
	return err
}
