package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/ent/migrations"
	"clientsd/server/backup"
	"clientsd/server/database"
	"clientsd/server/storage"
)

func TestRestore_CopyIsMarked(t *testing.T) {
	s := source(t)
	path := backupOf(t, s)
	register(t, s, 1) // after the backup
	dir := filepath.Join(t.TempDir(), "new", "data")
	target := filepath.Join(dir, "clientsd.db")
	got, err := backup.Restore(t.Context(), path, target, s.Keyset, silent)
	if err != nil || got.Clients != 2 || got.Mark.TakenAt.IsZero() {
		t.Fatalf("got %+v, error %v", got, err)
	}
	wantAlone(t, dir, "clientsd.db")
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the folder: got %v, error %v", info, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: got %v, error %v", info, err)
	}
	wantRefused(t, target, got.Mark)
}

// wantRefused fails the test unless the database is marked as restored from this
// backup.
func wantRefused(t *testing.T, path string, want storage.RestoredMark) {
	t.Helper()
	db, err := database.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var restored *storage.RestoredError
	if err := storage.CheckRestored(t.Context(), db, "sqlite3"); !errors.As(err, &restored) {
		t.Fatalf("got error %v", err)
	}
	if diff := cmp.Diff(want, restored.Mark); diff != "" {
		t.Errorf("the mark (-want +got):\n%s", diff)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A copy taken with another tool carries no mark. Restore accepts and marks it.
func TestRestore_CopyOfAnotherTool(t *testing.T) {
	s := source(t)
	path := filepath.Join(t.TempDir(), "copy.db")
	execute(t, s, "VACUUM INTO '"+path+"'")
	target := filepath.Join(t.TempDir(), "clientsd.db")
	if _, err := backup.Restore(t.Context(), path, target, s.Keyset, silent); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, target, storage.RestoredMark{})
}

// A backup of a restored database that nobody has accepted yet keeps the mark of the
// first backup.
func TestMakeAndRestore_KeepTheOldestMark(t *testing.T) {
	s := source(t)
	at := time.Date(2026, 11, 21, 20, 34, 38, 0, time.UTC)
	if err := storage.MarkRestored(t.Context(), s.DB.Transact, at); err != nil {
		t.Fatal(err)
	}
	path := backupOf(t, s)
	wantRefused(t, path, storage.RestoredMark{TakenAt: at})
	target := filepath.Join(t.TempDir(), "clientsd.db")
	if _, err := backup.Restore(t.Context(), path, target, s.Keyset, silent); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, target, storage.RestoredMark{TakenAt: at})
}

// A backup may have an older schema than the binary that restores it.
func TestRestore_OlderSchema(t *testing.T) {
	s := source(t)
	initial, err := migrations.Files.ReadFile("sqlite/20261121203438_initial.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	old, err := database.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealer(t, s).SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		string(initial),
		"CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (20261121203438, 1)",
	} {
		if _, err := old.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Write.KeysetCheck.Create().SetID(1).SetSealed(sealed).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := backup.Restore(t.Context(), path, filepath.Join(dir, "clientsd.db"), s.Keyset, silent); err != nil {
		t.Fatal(err)
	}
	config := storage.Config{Dir: dir, KeysetFile: s.KeysetFile}
	var restored *storage.RestoredError
	if _, err := storage.Open(t.Context(), config); !errors.As(err, &restored) {
		t.Errorf("got error %v", err)
	}
	config.RestorePolicy = storage.AcceptRestored
	opened, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil || opened.Migrated == 0 {
		t.Errorf("%d migrations, error %v", opened.Migrated, err)
	}
}

func TestRestore_Canceled(t *testing.T) {
	s := source(t)
	path := backupOf(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err := backup.Restore(ctx, path, filepath.Join(dir, "clientsd.db"), s.Keyset, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	wantAlone(t, dir)
}
