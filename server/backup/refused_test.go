package backup_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"clientsd/server/backup"
	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

func TestRestore_DatabaseExists(t *testing.T) {
	s := source(t)
	path := backupOf(t, s)
	for _, name := range []string{"clientsd.db", "clientsd.db-wal", "clientsd.db-shm", "clientsd.db-journal"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, name), "precious")
			target := filepath.Join(dir, "clientsd.db")
			_, err := backup.Restore(t.Context(), path, target, s.Keyset, silent)
			want := "restore " + path + " to " + target + ": there is a database already: " +
				"stop its server, move it away with its -wal and -shm files, and restore again"
			if !errors.Is(err, backup.ErrOccupied) || err.Error() != want {
				t.Errorf("got error %v, want %s", err, want)
			}
			if got := read(t, filepath.Join(dir, name)); got != "precious" {
				t.Errorf("the file holds %q", got)
			}
			wantAlone(t, dir, name)
		})
	}
}

func TestRestore_DatabaseAppearsMeanwhile(t *testing.T) {
	s := source(t)
	path := backupOf(t, s)
	target := filepath.Join(t.TempDir(), "clientsd.db")
	_, err := backup.Restore(t.Context(), path, target, s.Keyset, func(int64, int64) { write(t, target, "faster") })
	if !errors.Is(err, backup.ErrOccupied) || read(t, target) != "faster" {
		t.Errorf("got error %v", err)
	}
}

// Restore writes nothing, not even a folder, before it has checked the backup.
func TestRestore_UnsoundBackup(t *testing.T) {
	s := source(t)
	other := source(t)
	for name, tt := range map[string]struct {
		spoil  func(t *testing.T, path string)
		keyset *secret.Keyset
		is     error
		want   string
	}{
		"a backup with another keyset": {
			func(*testing.T, string) {}, other.Keyset, storage.ErrKeysetWrong,
			"the keyset is not the one this database was created with",
		},
		"the first half of a backup": {
			func(t *testing.T, path string) { content := read(t, path); write(t, path, content[:len(content)/2]) },
			s.Keyset, database.ErrDamaged, "verify database: the database is damaged: database disk image is malformed",
		},
		"a backup with a page of other data": {
			func(t *testing.T, path string) {
				content := read(t, path)
				write(t, path, content[:3*4096]+strings.Repeat("x", 4096)+content[4*4096:])
			},
			s.Keyset, database.ErrDamaged, "verify database: the database is damaged: ",
		},
		"a text": {
			func(t *testing.T, path string) { write(t, path, strings.Repeat("no database ", 1000)) },
			s.Keyset, database.ErrDamaged, "verify database: the database is damaged: file is not a database",
		},
		"an empty file": {
			func(t *testing.T, path string) { write(t, path, "") },
			s.Keyset, database.ErrForeign, "verify database: this is not a database of clientsd",
		},
		"a backup of a newer binary": {
			func(t *testing.T, path string) {
				change(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999999999999, 1)")
			},
			s.Keyset, database.ErrNewerSchema, "verify database: the database has a newer schema than this binary knows: use the newer binary",
		},
		"a backup without its keyset check": {
			func(t *testing.T, path string) { change(t, path, "DELETE FROM keyset_checks") },
			s.Keyset, database.ErrForeign, "this is not a database of clientsd",
		},
		"no file": {
			func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			s.Keyset, fs.ErrNotExist, "stat PATH: no such file or directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := backupOf(t, s)
			tt.spoil(t, path)
			dir := t.TempDir()
			target := filepath.Join(dir, "data", "clientsd.db")
			_, err := backup.Restore(t.Context(), path, target, tt.keyset, silent)
			want := "restore " + path + " to " + target + ": " + strings.ReplaceAll(tt.want, "PATH", path)
			if !errors.Is(err, tt.is) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got error %v\nwant %s", err, want)
			}
			wantAlone(t, dir)
		})
	}
}

// change changes a backup in a way that SQLite's checks accept.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := database.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Write.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// The copy of the keyset may be from before its last rotation. Such a keyset opens
// the check, but not the newest secrets.
func TestRestore_KeysetLacksAKey(t *testing.T) {
	s := source(t)
	before, err := secret.ParseKeyset([]byte(read(t, s.KeysetFile)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.Keyset.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	register(t, s, 1)
	path := backupOf(t, s)
	dir := t.TempDir()
	_, err = backup.Restore(t.Context(), path, filepath.Join(dir, "clientsd.db"), before, silent)
	want := "the keyset is older than the data: put its newest copy in its place: it lacks key " + strconv.FormatUint(uint64(key.ID), 10) + ", which has sealed 1 rows"
	if !errors.Is(err, storage.ErrKeysetOlder) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got error %v", err)
	}
	wantAlone(t, dir)
	if _, err := backup.Restore(t.Context(), path, filepath.Join(dir, "clientsd.db"), s.Keyset, silent); err != nil {
		t.Errorf("with the key: %v", err)
	}
}
