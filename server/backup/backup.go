// Package backup makes copies of a SQLite database, also beside a server that
// writes to it, and puts a copy back in the place of a lost database.
//
// A copy carries the mark of package rollback from the start, so that it is
// refused wherever it is served from, however it came there. It is made under
// another name, read back as a whole, and only then linked to its own: what has
// the name of a backup is one. The keyset is never in it, because whoever holds
// both can read the secrets.
//
// It imports database, rollback and storage, and knows neither flags nor a wire.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
	"clientsd/server/durable"
	"clientsd/server/storage"
	"clientsd/server/tx"
)

// ErrExists says that the file to write is there already.
var ErrExists = errors.New("there is a file of this name already, and a backup replaces none: choose another name")

// A Copy describes what was made.
type Copy struct {
	// Bytes is its size.
	Bytes int64
	// Clients counts the clients with a secret in it.
	Clients int
	// Mark says which backup it is.
	Mark storage.RestoredMark
}

// Progress is told how many of how many bytes are copied.
type Progress func(done, total int64)

// Make copies the database file source to the new file target, as it is at the
// time of the call. Target is whole and on disk, or not there at all.
//
// Errors: ErrExists; [database.ErrDamaged] and [database.ErrForeign] for what is
// in source; the end of ctx.
func Make(ctx context.Context, source, target string, progress Progress) (Copy, error) {
	if _, err := os.Lstat(target); err == nil {
		return Copy{}, fmt.Errorf("back up to %s: %w", target, ErrExists)
	}
	made, err := publish(ctx, source, target, time.Now(), progress)
	if err != nil {
		return Copy{}, fmt.Errorf("back up to %s: %w", target, err)
	}
	return made, nil
}

// publish makes a marked copy and gives it the name target once it is whole.
func publish(ctx context.Context, source, target string, takenAt time.Time, progress Progress) (made Copy, err error) {
	mark := func(transact tx.Transactor) error { return storage.MarkRestored(ctx, transact, takenAt) }
	err = durable.Create(target, func(unnamed string) (err error) {
		if err := database.CopySQLite(ctx, source, unnamed, mark, progress); err != nil {
			return err
		}
		made, err = inspect(ctx, unnamed)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrExist):
		return Copy{}, ErrExists
	case errors.Is(err, durable.ErrNotFlushed):
		return Copy{}, errors.Join(err, os.Remove(target))
	}
	return made, err
}

// inspect reads a whole copy back, and fails unless it is what was to be made.
func inspect(ctx context.Context, path string) (made Copy, err error) {
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
	var marked *storage.RestoredError
	if err := storage.CheckRestored(ctx, db, dialect.SQLite); !errors.As(err, &marked) {
		return Copy{}, errors.Join(errors.New("the copy does not carry its mark"), err)
	}
	return Copy{Bytes: info.Size(), Clients: marked.Clients, Mark: marked.Mark}, nil
}
