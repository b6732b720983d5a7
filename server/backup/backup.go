// Package backup copies a SQLite database, also while a server writes to it, and
// restores a copy in the place of a lost database.
//
// It owns what makes a file a backup: the copy is read back as a whole, carries a
// [storage.RestoredMark] from the start, so that no server serves it unnoticed, and
// gets its name only then. The keyset is never in it, because someone who has both
// can read the secrets.
//
// It must not know flags or the wire.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
	"clientsd/server/durable"
	"clientsd/server/storage"
	"clientsd/server/tx"
)

// ErrExists reports that the file to write exists.
var ErrExists = errors.New("there is a file of this name already, and a backup replaces none: choose another name")

// A Copy describes a backup or a restored database.
type Copy struct {
	// Bytes is its size.
	Bytes int64
	// Clients counts the clients with a secret in it.
	Clients int
	// Mark names the backup.
	Mark storage.RestoredMark
}

// Make copies the database file source to the new file target, as it is at the
// time of the call. Afterwards target is complete and on disk, or does not exist.
//
// Errors: ErrExists; [database.ErrDamaged] and [database.ErrForeign] if source is
// no sound database of clientsd; the end of ctx.
func Make(ctx context.Context, source, target string, progress Progress) (created Copy, err error) {
	if _, err := os.Lstat(target); err == nil {
		return Copy{}, fmt.Errorf("back up to %s: %w", target, ErrExists)
	}
	takenAt := time.Now()
	if _, err = os.Stat(filepath.Dir(target)); err == nil { // reading all of the source can take minutes
		err = database.VerifySQLite(ctx, source)
	}
	if err == nil {
		created, err = publish(ctx, source, target, takenAt, progress)
	}
	if err != nil {
		return Copy{}, fmt.Errorf("back up to %s: %w", target, err)
	}
	return created, nil
}

// publish creates a marked copy of a sound database, and names it target once it is
// complete.
func publish(ctx context.Context, source, target string, takenAt time.Time, progress Progress) (created Copy, err error) {
	mark := func(transact tx.Transactor) error { return storage.MarkRestored(ctx, transact, takenAt) }
	err = durable.Create(target, func(scratch string) (err error) {
		finish := progress.watch(source, scratch)
		err = database.CopySQLite(ctx, source, scratch, mark)
		finish(err)
		if err == nil {
			created, err = inspect(ctx, scratch)
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrExist):
		return Copy{}, ErrExists
	case errors.Is(err, durable.ErrNotFlushed):
		return Copy{}, errors.Join(err, os.Remove(target))
	}
	return created, err
}

// inspect reads a whole copy back. It fails if the copy is not a sound and marked
// database.
func inspect(ctx context.Context, path string) (created Copy, err error) {
	if err := database.VerifySQLite(ctx, path); err != nil {
		return Copy{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Copy{}, err
	}
	db, err := database.OpenReadOnly(ctx, path)
	if err != nil {
		return Copy{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if hasCheck, err := db.KeysetCheck.Query().Exist(ctx); err != nil {
		return Copy{}, err
	} else if !hasCheck {
		return Copy{}, database.ErrForeign
	}
	var restored *storage.RestoredError
	if err := storage.CheckRestored(ctx, db, dialect.SQLite); !errors.As(err, &restored) {
		return Copy{}, errors.Join(errors.New("the copy does not carry its mark"), err)
	}
	return Copy{Bytes: info.Size(), Clients: restored.Clients, Mark: restored.Mark}, nil
}
