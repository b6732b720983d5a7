package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/reencrypt"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// folderMode keeps a data folder to its owner.
const folderMode = 0o700

// ErrOccupied says that there is a database, or what one has left behind. SQLite
// would take a WAL that is left for that of the restored file.
var ErrOccupied = errors.New("there is a database already: stop its server, move it away with its -wal and -shm files, and restore again")

// Restore copies the backup source to the new database file target, once it has
// seen that the backup is whole, of a schema this binary knows, and sealed with
// keys of the keyset. The database is marked as restored, also when the backup
// was made by other means and does not say so itself.
//
// Errors: ErrOccupied; [database.ErrDamaged], [database.ErrForeign] and
// [database.ErrNewerSchema] for what is in source; [storage.ErrKeysetWrong]; the
// end of ctx. Nothing was written then.
func Restore(ctx context.Context, source, target string, keyset *secret.Keyset, progress Progress) (Copy, error) {
	made, err := restore(ctx, source, target, keyset, progress)
	if errors.Is(err, ErrExists) { // somebody was faster
		err = ErrOccupied
	}
	if err != nil {
		return Copy{}, fmt.Errorf("restore %s to %s: %w", source, target, err)
	}
	return made, nil
}

func restore(ctx context.Context, source, target string, keyset *secret.Keyset, progress Progress) (Copy, error) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(target + suffix); err == nil {
			return Copy{}, ErrOccupied
		}
	}
	if _, err := os.Stat(source); err != nil { // SQLite would not say what is missing
		return Copy{}, err
	}
	if err := database.VerifySQLite(ctx, source); err != nil {
		return Copy{}, err
	}
	if err := fits(ctx, source, keyset); err != nil {
		return Copy{}, err
	}
	if err := os.MkdirAll(filepath.Dir(target), folderMode); err != nil {
		return Copy{}, err
	}
	return publish(ctx, source, target, time.Time{}, progress)
}

// fits fails unless the keyset is that of the database, with every key that has
// sealed something in it: the keyset, too, may have been restored from before
// its last rotation.
func fits(ctx context.Context, path string, keyset *secret.Keyset) (err error) {
	db, err := database.OpenReadOnly(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	check, err := db.KeysetCheck.Query().Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return database.ErrForeign
	case err != nil:
		return err
	case keyset.OpenCheck(check.Sealed) != nil:
		return storage.ErrKeysetWrong
	}
	return hasKeys(ctx, db, keyset)
}

func hasKeys(ctx context.Context, db *ent.Client, keyset *secret.Keyset) error {
	usage, err := reencrypt.Usage(ctx, db)
	if err != nil {
		return err
	}
	for _, key := range keyset.Keys() {
		delete(usage, key.ID)
	}
	for id, rows := range usage {
		return fmt.Errorf("%w: it lacks key %d, which has sealed %d rows", storage.ErrKeysetWrong, id, rows)
	}
	return nil
}
