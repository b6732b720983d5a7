package database_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"clientsd/ent/migrations"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// before is the folder of migrations without those from version on.
func before(t *testing.T, dialect, version string) fs.FS {
	t.Helper()
	files, err := fs.Sub(migrations.Files, dialect)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Compare(name, version) < 0 {
			folder[name] = &fstest.MapFile{Data: data}
		}
	}
	if len(folder) == 0 || len(folder) == len(names) {
		t.Fatalf("%d of %d migrations are older than %s", len(folder), len(names), version)
	}
	return folder
}

// The column of an event that names the API was called face.
func TestMigrate_RenamesTheAPIOfEvents(t *testing.T) {
	const version = "20261126113000"
	insertEvent := `INSERT INTO client_events (client_id, organisation, kind, at, secret_version, secret_released,
		actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, face, reason)
		VALUES ('019ab3e5-0000-7000-8000-000000000001', 'home', 'secret_rotated', '2026-11-25 10:00:00+00:00', 2, true,
		'issuer', 'subject', 'caller', 'home', 'call-1', '192.0.2.1', 'vigilo', 'leaked')`
	for name, open := range map[string]func(*testing.T) *database.DB{
		"sqlite":   func(t *testing.T) *database.DB { t.Helper(); return open(t, newPath(t)) },
		"postgres": func(t *testing.T) *database.DB { t.Helper(); return openPostgres(t, storagetest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if _, err := database.MigrateFrom(db, t.Context(), before(t, name, version)); err != nil {
				t.Fatal(err)
			}
			execute(t, db.Write, insertEvent)
			if applied, err := db.Migrate(t.Context()); err != nil || applied == 0 {
				t.Fatalf("got %d migrations, error %v", applied, err)
			}
			event, err := db.Read.ClientEvent.Query().Only(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if event.API != "vigilo" || event.Reason != "leaked" || event.RequestID != "call-1" || event.SecretVersion != 2 {
				t.Errorf("got %v", event)
			}
		})
	}
}
