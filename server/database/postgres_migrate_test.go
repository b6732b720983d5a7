package database_test

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"clientsd/ent/migrations"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

func wantSchema(t *testing.T, db *database.DB, want database.Schema) {
	t.Helper()
	if got, err := db.Schema(t.Context()); err != nil || got != want {
		t.Errorf("got schema %v, error %v, want %v", got, err, want)
	}
}

// later are the PostgreSQL migrations there are and one after them.
func later(t *testing.T, statements string) fs.FS {
	t.Helper()
	files, err := fs.Sub(migrations.Files, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{"29990101000000_later.sql": {Data: []byte("-- +goose Up\n" + statements)}}
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("got %v, error %v", names, err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		folder[name] = &fstest.MapFile{Data: data}
	}
	return folder
}

// Replicas that start concurrently migrate once.
func TestMigrate_Concurrently(t *testing.T) {
	const replicas = 3
	config := storagetest.Postgres(t)
	applied, errs := make([]int, replicas), make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		db := openPostgres(t, config)
		group.Go(func() { applied[i], errs[i] = db.Migrate(t.Context()) })
	}
	group.Wait()
	files, err := fs.Glob(migrations.Files, "postgres/*.sql")
	if err := errors.Join(err, errors.Join(errs...)); err != nil {
		t.Fatal(err)
	}
	if sum := applied[0] + applied[1] + applied[2]; sum != len(files) {
		t.Errorf("%v migrations were applied, there are %d", applied, len(files))
	}
	db := openPostgres(t, config)
	wantSchema(t, db, database.CurrentSchema)
	wantClients(t, db, 0)
}

func TestSchema_OlderAndNewer(t *testing.T) {
	db := migratedPostgres(t)
	execute(t, db.Write, "UPDATE goose_db_version SET version_id = 1 WHERE version_id > 0")
	wantSchema(t, db, database.OlderSchema)
	execute(t, db.Write, "UPDATE goose_db_version SET version_id = 99999999999999 WHERE version_id > 0")
	wantSchema(t, db, database.NewerSchema)
	applied, err := db.Migrate(t.Context())
	if applied != 0 || !errors.Is(err, database.ErrNewerSchema) ||
		err.Error() != "migrate database: the database has a newer schema than this binary knows: use the newer binary" {
		t.Errorf("got %d migrations, error %v", applied, err)
	}
}

// Nobody knows how long a migration may take, but a call must not wait for it.
func TestMigrate_HasNoStatementTimeout(t *testing.T) {
	config := storagetest.Postgres(t)
	config.StatementTimeout = 100 * time.Millisecond
	db := openPostgres(t, config)
	applied, err := database.MigrateFrom(db, t.Context(), later(t, "SELECT pg_sleep(0.3);"))
	if err != nil || applied < 2 {
		t.Errorf("got %d migrations, error %v", applied, err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "SELECT pg_sleep(0.3)"); database.Classify(err) != tx.Interrupted {
		t.Errorf("a statement of a call: got error %v", err)
	}
}

func TestMigrate_FailureChangesNothingOnPostgreSQL(t *testing.T) {
	db := migratedPostgres(t)
	populated(t, db)
	applied, err := database.MigrateFrom(db, t.Context(), later(t, "DELETE FROM client_logos;\nCREATE TABLE oauth_clients (id integer);"))
	if err == nil || applied != 0 || !strings.HasPrefix(err.Error(), "migrate database: ") {
		t.Errorf("got %d migrations, error %v", applied, err)
	}
	if got := counts(t, db.Read); got != [2]int{1, 1} {
		t.Errorf("got %v clients and logos", got)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func TestDeleteClient_DeletesLogoOnPostgreSQL(t *testing.T) {
	db := migratedPostgres(t)
	id := populated(t, db)
	populated(t, db)
	if err := db.Write.OAuthClient.DeleteOneID(id).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, db.Read); got != [2]int{1, 1} {
		t.Errorf("got %v clients and logos", got)
	}
}
