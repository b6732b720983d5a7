// Package rollback keeps a database that was restored from a backup from being
// served unseen. A restored database is back at an earlier time: a secret that
// was rotated since the backup, perhaps because it leaked, would be valid again,
// which is what a rotation promises never to happen. Nobody can tell afterwards
// which clients that concerns, so it may be every one that has a secret.
//
// So a backup carries a mark, and whoever opens a marked database refuses it
// until an operator has accepted what it means. The mark is a row in a table of
// its own. It is inside the database, because a file beside it would be lost by
// cp; in the backup from the start, because cp is how many a backup is put back;
// and a table rather than a number in SQLite's header, because PostgreSQL has no
// such header and pg_dump, like sqlite3's .dump, copies tables. The table is no
// part of the migrated schema: a backup of an older schema can be marked and
// recognised without being migrated first. A database that was never restored
// does not have it.
//
// The package imports ent; it knows no driver, no keyset and no wire.
package rollback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/server/tx"
)

// The statements of the mark, in what SQLite and PostgreSQL have in common.
const (
	createTable = "CREATE TABLE IF NOT EXISTS rollback_mark (taken_at text NOT NULL)"
	insertMark  = "INSERT INTO rollback_mark SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM rollback_mark)"
	selectMark  = "SELECT taken_at FROM rollback_mark"
	removeMark  = "DELETE FROM rollback_mark RETURNING taken_at"
)

// A Client is a client whose secret may have been rotated since a backup. Only
// its name, organisation, secret version and the time the secret was made are set.
type Client = ent.OAuthClient

// A Mark says that a database is, or comes from, a backup.
type Mark struct {
	// TakenAt is when the backup was made, to the second. Zero: it is not known.
	TakenAt time.Time
}

// String names the backup in a sentence.
func (m Mark) String() string {
	if m.TakenAt.IsZero() {
		return "a backup of unknown age"
	}
	return "the backup of " + m.TakenAt.Format(time.RFC3339)
}

// An Error says that a database was restored and that nobody has accepted it.
type Error struct {
	// Mark is the backup it was restored from.
	Mark Mark
	// Clients counts the clients whose secret may have been rotated since.
	Clients int
	// First are some of them, the first of what List lists.
	First []*Client
}

// Error says what is wrong, and what to do.
func (e *Error) Error() string {
	return fmt.Sprintf("the database was restored from %s, and secrets that were rotated since would be valid again, of up to %d clients: "+
		"see clientsd rollback list, then start clientsd serve once with --accept-rollback", e.Mark, e.Clients)
}

// Set marks a database. A mark that is there already stays: it tells of an
// earlier backup. A zero takenAt says that the time is not known.
func Set(ctx context.Context, transact tx.Transactor, takenAt time.Time) error {
	text := ""
	if !takenAt.IsZero() {
		text = takenAt.UTC().Format(time.RFC3339)
	}
	err := transact(ctx, func(tx *ent.Tx) error {
		if _, err := tx.ExecContext(ctx, createTable); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertMark, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark database as restored: %w", err)
	}
	return nil
}

// Check returns an *[Error] if the database is marked. It changes nothing, and
// the schema may be older than ent's. DialectName is ent's name of the database.
func Check(ctx context.Context, db *ent.Client, dialectName string) error {
	mark, marked, err := find(ctx, db, dialectName)
	if err != nil {
		return fmt.Errorf("look for the mark of a backup: %w", err)
	}
	if !marked {
		return nil
	}
	restored := &Error{Mark: mark}
	if restored.Clients, err = db.OAuthClient.Query().Where(oauthclient.HasSecret(true)).Count(ctx); err != nil {
		return fmt.Errorf("count clients: %w", err)
	}
	if restored.First, err = page(ctx, db, uuid.UUID{}, firstClients); err != nil {
		return err
	}
	return restored
}

func find(ctx context.Context, db *ent.Client, dialectName string) (mark Mark, marked bool, err error) {
	tables, _, err := scan[int](db.QueryContext(ctx, countTables(dialectName)))
	if err != nil || tables == 0 {
		return Mark{}, false, err
	}
	text, marked, err := scan[string](db.QueryContext(ctx, selectMark))
	return parse(text), marked, err
}

// countTables counts the tables of marks, 0 or 1. Here the databases have nothing
// in common.
func countTables(dialectName string) string {
	if dialectName == dialect.Postgres {
		return "SELECT count(to_regclass('rollback_mark'))"
	}
	return "SELECT count(*) FROM sqlite_schema WHERE name = 'rollback_mark'"
}

// parse reads what Set has stored. A time that it cannot read is not known; what
// counts is that there is a mark.
func parse(text string) Mark {
	takenAt, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Mark{}
	}
	return Mark{TakenAt: takenAt}
}

// scan reads the one value of the first row, if there is a row.
func scan[T any](rows *sql.Rows, err error) (value T, found bool, _ error) {
	if err != nil {
		return value, false, err
	}
	if found = rows.Next(); found {
		err = rows.Scan(&value)
	}
	return value, found, errors.Join(err, rows.Err(), rows.Close())
}
