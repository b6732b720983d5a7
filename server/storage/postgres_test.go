package storage_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// emptyPostgres returns an empty PostgreSQL database and a keyset of one key.
func emptyPostgres(t *testing.T) storage.Config {
	t.Helper()
	return storage.Config{Postgres: storagetest.Postgres(t), KeysetFile: newKeyset(t)}
}

func newKeyset(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset.json")
	if _, err := secret.CreateKeyset(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// migratedPostgres returns a migrated PostgreSQL database and its keyset.
func migratedPostgres(t *testing.T) storage.Config {
	t.Helper()
	config := emptyPostgres(t)
	migrating := config
	migrating.Migrate = true
	if err := open(t, migrating).Close(); err != nil {
		t.Fatal(err)
	}
	return config
}

// raw opens the database without any check.
func raw(t *testing.T, config storage.Config) *database.DB {
	t.Helper()
	db, err := database.OpenPostgres(t.Context(), config.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a failure has no consequence
	return db
}

// content returns what opening could change in the database: tables, versions and
// the keyset check.
func content(t *testing.T, db *database.DB) string {
	t.Helper()
	got := query(t, db, "SELECT coalesce(string_agg(table_name, ' ' ORDER BY table_name), '') FROM information_schema.tables WHERE table_schema = current_schema()")
	if strings.Contains(got, "keyset_checks") {
		got += query(t, db, "SELECT coalesce(string_agg(id || ' ' || sealed::text, ' '), '') FROM keyset_checks")
		got += query(t, db, "SELECT string_agg(version_id::text, ' ' ORDER BY id) FROM goose_db_version")
	}
	return got
}

func query(t *testing.T, db *database.DB, statement string) string {
	t.Helper()
	rows, err := db.Read.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var value string
	if !rows.Next() || rows.Scan(&value) != nil {
		t.Fatalf("%s: no value: %v", statement, rows.Err())
	}
	return value
}

// wantRefused fails the test unless Open fails with the error and changes nothing.
func wantRefused(t *testing.T, config storage.Config, is error, want string) {
	t.Helper()
	db := raw(t, config)
	before := content(t, db)
	s, err := storage.Open(t.Context(), config)
	if s != nil || !errors.Is(err, is) || err.Error() != want {
		t.Errorf("got %v, error %v\nwant error %s", s, err, want)
	}
	if after := content(t, db); after != before {
		t.Errorf("the database has changed\nfrom %s\nto   %s", before, after)
	}
}

func TestOpen_PostgresNeedsAnExistingKeyset(t *testing.T) {
	config := storage.Config{Dir: t.TempDir(), Create: true, Migrate: true, Postgres: storagetest.Postgres(t)}
	wantRefused(t, config, storage.ErrKeysetNotGiven,
		"--database-url: a keyset is needed too, the same for all replicas: give --keyset or CLIENTSD_KEYSET; clientsd keyset create creates one")
	config.KeysetFile = filepath.Join(config.Dir, "none.json")
	_, err := storage.Open(t.Context(), config)
	if err == nil || !strings.HasSuffix(err.Error(), ": no such file or directory: restore it from its backup, or create the first one with clientsd keyset create") {
		t.Errorf("got error %v", err)
	}
	if got := files(t, config.Dir); len(got) != 0 {
		t.Errorf("the folder has %v", got)
	}
}

func TestOpen_PostgresIsMigratedOnlyOnRequest(t *testing.T) {
	config := emptyPostgres(t)
	name := "open " + raw(t, config).Name() + ": "
	older := name + "the database is not migrated for this binary: run clientsd migrate, or clientsd serve --migrate"
	config.Create = true // has no effect on PostgreSQL
	wantRefused(t, config, database.ErrOlderSchema, older)

	migrating := config
	migrating.Migrate = true
	s := open(t, migrating)
	if s.Migrated == 0 || s.Created || s.DatabaseFile != "" || s.KeysetFile != config.KeysetFile || len(s.Warnings) == 0 {
		t.Errorf("got %+v", s)
	}
	for _, again := range []storage.Config{config, migrating} {
		if s := open(t, again); s.Migrated != 0 {
			t.Errorf("again: got %+v", s)
		}
	}

	execute(t, s.DB, "UPDATE goose_db_version SET version_id = 1 WHERE version_id > 0")
	wantRefused(t, config, database.ErrOlderSchema, older)
	execute(t, s.DB, "UPDATE goose_db_version SET version_id = 99999999999999 WHERE version_id > 0")
	for _, config := range []storage.Config{config, migrating} {
		wantRefused(t, config, database.ErrNewerSchema, name+"the database has a newer schema than this binary knows: use the newer binary")
	}
}

func execute(t *testing.T, db *database.DB, statement string) {
	t.Helper()
	if _, err := db.Write.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_PostgresWithAnotherKeyset(t *testing.T) {
	config := migratedPostgres(t)
	config.KeysetFile = newKeyset(t)
	db := raw(t, config)
	want := "open " + db.Name() + ": the keyset is not the one this database was created with"
	for name, prepare := range map[string]string{
		"an up-to-date database":              "SELECT 1",
		"an older database":                   "UPDATE goose_db_version SET version_id = 1 WHERE version_id > 0",
		"a database without its keyset check": "TRUNCATE keyset_checks; INSERT INTO signing_keys VALUES ('key', 'issuer', 'sealed', 'public', now())",
	} {
		t.Run(name, func(t *testing.T) {
			execute(t, db, prepare)
			for _, config.Migrate = range []bool{false, true} {
				wantRefused(t, config, storage.ErrKeysetWrong, want)
			}
		})
	}
}

// A migration can be interrupted between the tables and the keyset check.
func TestOpen_PostgresAfterAnInterruptedMigration(t *testing.T) {
	config := migratedPostgres(t)
	db := raw(t, config)
	execute(t, db, "TRUNCATE keyset_checks")
	wantRefused(t, config, database.ErrOlderSchema,
		"open "+db.Name()+": the database is not migrated for this binary: run clientsd migrate, or clientsd serve --migrate")
	config.Migrate = true
	open(t, config)
	config.Migrate = false
	open(t, config)
}

// Replicas that start concurrently on an empty database use one schema and one
// keyset. A replica with another keyset is refused.
func TestOpen_PostgresConcurrentFirstMigrations(t *testing.T) {
	const replicas = 2
	ours, theirs := emptyPostgres(t), newKeyset(t)
	ours.Migrate = true
	errs := make([]error, 2*replicas)
	var group sync.WaitGroup
	for i := range errs {
		config := ours
		if i%2 == 1 {
			config.KeysetFile = theirs
		}
		group.Go(func() {
			s, err := storage.Open(t.Context(), config)
			if err == nil {
				err = s.Close()
			}
			errs[i] = err
		})
	}
	group.Wait()
	for i, err := range errs {
		won := errs[i%2] == nil
		if won && err != nil || !won && !errors.Is(err, storage.ErrKeysetWrong) {
			t.Errorf("replica %d with keyset %d: got error %v", i, i%2, err)
		}
	}
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("two keysets were accepted, or none: %v", errs)
	}
}

func TestOpen_RequireSyncStandby(t *testing.T) {
	config := migratedPostgres(t)
	db := raw(t, config)
	config.RequireSyncStandby = true
	if query(t, db, "SHOW synchronous_standby_names") != "" {
		t.Skip("the server that tests run on has a standby")
	}
	wantRefused(t, config, database.ErrNoSyncStandby, "open "+db.Name()+
		": a commit does not wait for a standby: set synchronous_standby_names, and synchronous_commit to on or remote_apply")
	config.Postgres.URL = ""
	if _, err := storage.Open(t.Context(), config); err == nil || err.Error() != "--require-sync-standby: needs --database-url, a file has no standby" {
		t.Errorf("of a file: got error %v", err)
	}
}

func TestOpen_PasswordIsNotPrinted(t *testing.T) {
	config := storage.Config{KeysetFile: newKeyset(t), Postgres: database.Postgres{URL: "postgres://u:s3cr3t@127.0.0.1:1/clientsd?sslmode=disable"}}
	_, err := storage.Open(t.Context(), config)
	if shown := fmt.Sprintf("%v %+v %#v", err, config, config); err == nil || strings.Contains(shown, "s3cr3t") {
		t.Errorf("got %s", shown)
	}
}
