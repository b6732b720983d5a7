package database_test

import (
	"context"
	"errors"
	"testing"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// exclusively reports whether a transaction that excludes others is run.
func exclusively(t *testing.T, db *database.DB, body func()) (ran bool) {
	t.Helper()
	err := db.TransactExclusive(t.Context(), func(context.Context, *ent.Tx) error {
		ran = true
		body()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return ran
}

// newSchema opens a new schema that is up to date.
func newSchema(t *testing.T) (*database.DB, database.Postgres) {
	t.Helper()
	config := storagetest.Postgres(t)
	db := openPostgres(t, config)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, config
}

func TestTransactExclusive_OneServerAtATime(t *testing.T) {
	t.Parallel()
	db, config := newSchema(t)
	replica := openPostgres(t, config)
	stranger, _ := newSchema(t)
	nothing := func() {}
	ran := exclusively(t, db, func() {
		if exclusively(t, replica, nothing) {
			t.Error("another server runs one at the same time")
		}
		if !exclusively(t, stranger, nothing) {
			t.Error("a server of another schema does not run one")
		}
		err := replica.Transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM idempotency_keys")
			return err
		})
		if err != nil {
			t.Errorf("the transaction of a call: %v", err)
		}
	})
	if !ran || !exclusively(t, replica, nothing) {
		t.Error("the lock does not end with its transaction")
	}
	errOwn := errors.New("a failure of its own")
	if err := db.TransactExclusive(t.Context(), func(context.Context, *ent.Tx) error { return errOwn }); !errors.Is(err, errOwn) {
		t.Errorf("got error %v", err)
	}
	if !exclusively(t, replica, nothing) {
		t.Error("the lock does not end with a transaction that failed")
	}
}

func TestTransactExclusive_SQLite(t *testing.T) {
	db := migrated(t, newPath(t))
	err := db.TransactExclusive(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO keyset_checks (id, sealed) VALUES (7, 'x')")
		return err
	})
	if n, readErr := db.Read.KeysetCheck.Query().Count(t.Context()); n != 1 || err != nil || readErr != nil {
		t.Errorf("wrote %d rows, errors %v, %v", n, err, readErr)
	}
}
