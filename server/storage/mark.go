package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/server/tx"
)

// The statements of the mark, in SQL that SQLite and PostgreSQL share.
const (
	createMarks = "CREATE TABLE IF NOT EXISTS rollback_mark (taken_at text NOT NULL)"
	insertMark  = "INSERT INTO rollback_mark SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM rollback_mark)"
	selectMark  = "SELECT taken_at FROM rollback_mark"
	removeMark  = "DELETE FROM rollback_mark RETURNING taken_at"
)

// firstClients is how many clients a RestoredError holds.
const firstClients = 20

// A RestoredMark records that a database is a backup or comes from one.
//
// A restored database is back at an earlier time: a secret that was rotated since
// the backup, perhaps because it leaked, would be valid again. Nobody can find out
// later which clients this concerns. So a backup carries a mark, and Open refuses
// a marked database until an operator has accepted it.
//
// The mark is a row in a table of its own:
//   - inside the database, because cp would lose a file next to it;
//   - in the backup from the start, because many restore a backup with cp;
//   - in a table and not in SQLite's header, because PostgreSQL has no such header,
//     and pg_dump and sqlite3's .dump copy tables;
//   - outside the migrated schema, so that a backup of an older schema can be
//     marked and recognised before it is migrated.
//
// A database that was never restored does not have the table.
type RestoredMark struct {
	// TakenAt is when the backup was taken, to the second. Zero: unknown.
	TakenAt time.Time
}

// String names the backup within a sentence.
func (m RestoredMark) String() string {
	if m.TakenAt.IsZero() {
		return "a backup of unknown age"
	}
	return "the backup of " + m.TakenAt.Format(time.RFC3339)
}

// A RestoredError reports that a database was restored and that no operator has
// accepted it.
type RestoredError struct {
	// Mark is the backup it was restored from.
	Mark RestoredMark
	// Clients counts the clients whose secret may have been rotated since.
	Clients int
	// First holds the first 20 of them, as RestoredClients reads them.
	First []*RestoredClient
}

// Error says what is wrong and what to do.
func (e *RestoredError) Error() string {
	return fmt.Sprintf("the database was restored from %s, and secrets that were rotated since would be valid again, of up to %d clients: "+
		"see clientsd rollback list, then start clientsd serve once with --accept-rollback", e.Mark, e.Clients)
}

// MarkRestored marks a database. A mark that exists stays: it names an earlier
// backup. A zero takenAt means that the time is unknown.
func MarkRestored(ctx context.Context, transact tx.Transactor, takenAt time.Time) error {
	text := ""
	if !takenAt.IsZero() {
		text = takenAt.UTC().Format(time.RFC3339)
	}
	err := transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		if _, err := tx.ExecContext(ctx, createMarks); err != nil {
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

// CheckRestored returns a [*RestoredError] if the database is marked. It changes
// nothing, and the schema may be older than ent's. DialectName is ent's name of
// the kind of database.
func CheckRestored(ctx context.Context, db *ent.Client, dialectName string) error {
	mark, marked, err := findMark(ctx, db, dialectName)
	if err != nil {
		return fmt.Errorf("look for the mark of a backup: %w", err)
	}
	if !marked {
		return nil
	}
	restored := &RestoredError{Mark: mark}
	if restored.Clients, err = db.OAuthClient.Query().Where(oauthclient.HasSecret(true)).Count(ctx); err != nil {
		return fmt.Errorf("count clients: %w", err)
	}
	for page, err := range RestoredClients(ctx, db, firstClients) {
		if err != nil {
			return err
		}
		restored.First = page
		break
	}
	return restored
}

func findMark(ctx context.Context, db *ent.Client, dialectName string) (mark RestoredMark, marked bool, err error) {
	exists, err := hasTable(ctx, db, dialectName, "rollback_mark")
	if err != nil || !exists {
		return RestoredMark{}, false, err
	}
	text, marked, err := scan[string](db.QueryContext(ctx, selectMark))
	return parseMark(text), marked, err
}

// hasTable reports whether a table exists. The databases share no statement for it.
func hasTable(ctx context.Context, db *ent.Client, dialectName, name string) (bool, error) {
	statement := "SELECT count(*) FROM sqlite_schema WHERE name = $1"
	if dialectName == dialect.Postgres {
		statement = "SELECT count(to_regclass($1))"
	}
	tables, _, err := scan[int](db.QueryContext(ctx, statement, name))
	return tables > 0, err
}

// parseMark parses the text that MarkRestored has stored. A time that it cannot
// parse is unknown: the database is marked all the same.
func parseMark(text string) RestoredMark {
	takenAt, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return RestoredMark{}
	}
	return RestoredMark{TakenAt: takenAt}
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
