package database_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/migrations"
	"clientsd/server/database"
)

func TestMigrate_AppliesEachMigrationOnce(t *testing.T) {
	path := newPath(t)
	files, err := fs.Glob(migrations.Files, "sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, path)
	for _, want := range []int{len(files), 0, 0} {
		if got, err := db.Migrate(t.Context()); err != nil || got != want {
			t.Errorf("got %d migrations, error %v, want %d", got, err, want)
		}
	}
	wantClients(t, db, 0)
}

// withMigration are the migrations there are and one after them.
func withMigration(t *testing.T, statements string) fs.FS {
	t.Helper()
	folder := fstest.MapFS{"29990101000000_later.sql": {Data: []byte("-- +goose Up\n" + statements)}}
	files, err := fs.Glob(migrations.Files, "sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := migrations.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		folder[name[len("sqlite/"):]] = &fstest.MapFile{Data: data}
	}
	return folder
}

// rebuild changes a table as SQLite has to: a new one takes the rows of the
// old, which is dropped. Atlas plans it so, with the PRAGMAs, although goose
// runs them within a transaction, where they do nothing.
const rebuild = `
PRAGMA foreign_keys = off;
CREATE TABLE new_oauth_clients AS SELECT id, organisation, name FROM oauth_clients;
DROP TABLE oauth_clients;
CREATE TABLE oauth_clients (id uuid NOT NULL PRIMARY KEY, organisation text NOT NULL, name text NOT NULL, added text NOT NULL DEFAULT 'new');
INSERT INTO oauth_clients (id, organisation, name) SELECT id, organisation, name FROM new_oauth_clients;
DROP TABLE new_oauth_clients;
PRAGMA foreign_keys = on;
`

// populated has a client with a logo and an event.
func populated(t *testing.T, db *database.DB) uuid.UUID {
	t.Helper()
	row, err := insert(t.Context(), db.Write.OAuthClient)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write.ClientLogo.Create().SetClientID(row.ID).SetPng([]byte("png")).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// counts are the rows in the tables of clients and of logos.
func counts(t *testing.T, client *ent.Client) [2]int {
	t.Helper()
	var got [2]int
	rows, err := client.QueryContext(t.Context(), "SELECT (SELECT count(*) FROM oauth_clients), (SELECT count(*) FROM client_logos)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || rows.Scan(&got[0], &got[1]) != nil {
		t.Fatalf("no counts: %v", rows.Err())
	}
	return got
}

func TestMigrate_RebuiltTableKeepsReferringRows(t *testing.T) {
	db := migrated(t, newPath(t))
	populated(t, db)
	if applied, err := database.MigrateFrom(db, t.Context(), withMigration(t, rebuild)); err != nil || applied != 1 {
		t.Fatalf("got %d migrations, error %v", applied, err)
	}
	if diff := cmp.Diff([2]int{1, 1}, counts(t, db.Read)); diff != "" {
		t.Errorf("clients and logos (-want +got):\n%s", diff)
	}
	if got := pragma(t, db.Write, "foreign_keys"); got != "1" {
		t.Error("the writer has lost its foreign keys")
	}
}

func TestMigrate_OrphanedRowsFail(t *testing.T) {
	db := migrated(t, newPath(t))
	populated(t, db)
	_, err := database.MigrateFrom(db, t.Context(), withMigration(t, "DELETE FROM oauth_clients;"))
	if err == nil || err.Error() != "migrate database: rows refer to rows that do not exist" {
		t.Errorf("got error %v", err)
	}
}

func TestMigrate_FailureChangesNothing(t *testing.T) {
	db := migrated(t, newPath(t))
	populated(t, db)
	applied, err := database.MigrateFrom(db, t.Context(), withMigration(t, "DELETE FROM client_logos;\nCREATE TABLE oauth_clients (id integer);"))
	if err == nil || applied != 0 {
		t.Errorf("got %d migrations, error %v", applied, err)
	}
	if diff := cmp.Diff([2]int{1, 1}, counts(t, db.Read)); diff != "" {
		t.Errorf("clients and logos (-want +got):\n%s", diff)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func TestMigrate_NewerSchema(t *testing.T) {
	db := migrated(t, newPath(t))
	if _, err := database.MigrateFrom(db, t.Context(), withMigration(t, "SELECT 1;")); err != nil {
		t.Fatal(err)
	}
	applied, err := db.Migrate(t.Context())
	if applied != 0 || !errors.Is(err, database.ErrNewerSchema) {
		t.Errorf("got %d migrations, error %v", applied, err)
	}
}

func TestDeleteClient_DeletesLogo(t *testing.T) {
	db := migrated(t, newPath(t))
	id := populated(t, db)
	populated(t, db)
	if err := db.Write.OAuthClient.DeleteOneID(id).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([2]int{1, 1}, counts(t, db.Read)); diff != "" {
		t.Errorf("clients and logos (-want +got):\n%s", diff)
	}
}
