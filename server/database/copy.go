package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/mattn/go-sqlite3"

	"clientsd/ent"
	"clientsd/server/tx"
)

// copyStep is how many pages are copied between two looks at the caller's
// patience: a megabyte of pages of the usual size.
const copyStep = 256

// CopySQLite copies the database file at from to the new file at to, which only
// its owner can read and which needs no other file beside it. The error wraps
// [os.ErrExist] if to is there already; after any other error it is to be
// removed. The copy is on disk when CopySQLite returns.
//
// The copy is what was committed at one moment, and servers may go on writing
// to the database: it is read in one transaction, and in WAL mode a reader
// stops no writer. Without that transaction every write would make SQLite begin
// the copy anew. What it costs is that the WAL grows until the copy is done.
//
// Last may write to the copy before it is closed. Progress is told how many of
// how many bytes are copied.
func CopySQLite(ctx context.Context, from, to string, last func(tx.Transactor) error, progress func(done, total int64)) (err error) {
	file, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := copyInto(ctx, from, to, last, progress); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return nil
}

func copyInto(ctx context.Context, from, to string, last func(tx.Transactor) error, progress func(done, total int64)) (err error) {
	source, err := openPool(ctx, from, 1, "mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openPool(ctx, to, 1, "_foreign_keys=on", "_synchronous=FULL")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := copySnapshot(ctx, source, target, progress); err != nil {
		return err
	}
	// The pages say WAL, like those they were copied from. A copy that is moved
	// about must not have a part of it in another file.
	if _, err := target.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); err != nil {
		return err
	}
	copied := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, target)))
	return last(func(ctx context.Context, body func(*ent.Tx) error) error { return tx.InTx(ctx, copied, body) })
}

// copySnapshot copies the pages as they are when it begins to read.
func copySnapshot(ctx context.Context, source, target *sql.DB, progress func(done, total int64)) (err error) {
	from, err := source.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := target.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	var pageSize int64
	if err := from.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageSize); err != nil {
		return err
	}
	// The read begins with the first page that is read, not with BEGIN. It ends
	// with the connection.
	if _, err := from.ExecContext(ctx, "BEGIN; SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	return withDrivers(from, to, func(from, to *sqlite3.SQLiteConn) error {
		return copyPages(ctx, from, to, func(done, total int) { progress(int64(done)*pageSize, int64(total)*pageSize) })
	})
}

// withDrivers gives body the driver's own connections.
func withDrivers(from, to *sql.Conn, body func(from, to *sqlite3.SQLiteConn) error) error {
	return from.Raw(func(from any) error {
		return to.Raw(func(to any) error {
			source, isSource := from.(*sqlite3.SQLiteConn)
			target, isTarget := to.(*sqlite3.SQLiteConn)
			if !isSource || !isTarget {
				return fmt.Errorf("the driver is %T", from)
			}
			return body(source, target)
		})
	})
}

func copyPages(ctx context.Context, from, to *sqlite3.SQLiteConn, progress func(done, total int)) error {
	pages, err := to.Backup("main", from, "main")
	if err != nil {
		return err
	}
	defer pages.Finish() //nolint:errcheck // it only repeats what Step has said
	for before := -1; ; before = pages.Remaining() {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := pages.Step(copyStep)
		if err != nil {
			return err
		}
		progress(pages.PageCount()-pages.Remaining(), pages.PageCount())
		switch {
		case done:
			return nil
		case pages.Remaining() == before: // Step hides that it was kept waiting in vain
			return sqlite3.Error{Code: sqlite3.ErrBusy}
		}
	}
}
