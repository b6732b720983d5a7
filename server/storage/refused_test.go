package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// Without its keyset not one byte of a database changes, and no new keyset hides
// the loss.
func TestOpen_WithoutItsKeyset(t *testing.T) {
	other := read(t, filepath.Join(closed(t), "keyset.json"))
	missing := func(t *testing.T, path string) { t.Helper(); remove(t, path) }
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, keyset string)
		config  storage.Config
		is      error
		want    string
	}{
		"missing": {
			missing,
			storage.Config{},
			storage.ErrKeysetMissing, "open keyset KEYSET: the database is there, but not its keyset: restore the keyset from its backup",
		},
		"of another database": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, other) },
			storage.Config{},
			storage.ErrKeysetWrong, "open DATABASE: the keyset is not the one this database was created with",
		},
		"of another database, as content": {
			missing,
			storage.Config{KeysetContent: string(other)},
			storage.ErrKeysetWrong, "open DATABASE: the keyset is not the one this database was created with",
		},
		"no keyset at all": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, []byte("{}")) },
			storage.Config{},
			nil, "--keyset KEYSET: parse keyset: not a Tink keyset in JSON",
		},
		"no keyset at all, as content": {
			missing,
			storage.Config{KeysetContent: "{}"},
			nil, "CLIENTSD_KEYSET: parse keyset: not a Tink keyset in JSON",
		},
		"readable by others": {
			func(t *testing.T, path string) {
				t.Helper()
				if err := os.Chmod(path, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			storage.Config{},
			nil, "--keyset KEYSET: read keyset: KEYSET has mode 0644, others can read it: chmod 600",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := closed(t)
			db, keyset := filepath.Join(dir, "clientsd.db"), filepath.Join(dir, "keyset.json")
			tt.prepare(t, keyset)
			before, beforeFiles := read(t, db), files(t, dir)
			tt.config.Dir, tt.config.Create = dir, true
			s, err := storage.Open(t.Context(), tt.config)
			want := strings.NewReplacer("CLIENTSD_KEYSET", "CLIENTSD_KEYSET", "KEYSET", keyset, "DATABASE", db).Replace(tt.want)
			if s != nil || err == nil || err.Error() != want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, error %v\nwant error %s", s, err, want)
			}
			if !bytes.Equal(before, read(t, db)) {
				t.Error("the database has changed")
			}
			afterFiles := files(t, dir)
			delete(afterFiles, "clientsd.db-wal") // SQLite creates both, empty, to read a database
			delete(afterFiles, "clientsd.db-shm")
			if diff := cmp.Diff(beforeFiles, afterFiles); diff != "" {
				t.Errorf("the files (-before +after):\n%s", diff)
			}
		})
	}
}

func TestOpen_DatabaseOfANewerBinary(t *testing.T) {
	dir := closed(t)
	s := open(t, storage.Config{Dir: dir})
	write(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999999999999, 1)")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := read(t, filepath.Join(dir, "clientsd.db"))
	_, err := storage.Open(t.Context(), storage.Config{Dir: dir, Create: true})
	if !errors.Is(err, database.ErrNewerSchema) ||
		err.Error() != "migrate database: the database has a newer schema than this binary knows: use the newer binary" {
		t.Errorf("got error %v", err)
	}
	if !bytes.Equal(before, read(t, filepath.Join(dir, "clientsd.db"))) {
		t.Error("the database has changed")
	}
}

func TestOpen_NoDatabaseFile(t *testing.T) {
	dir := closed(t)
	path := filepath.Join(dir, "clientsd.db")
	overwrite(t, path, []byte(strings.Repeat("this is no database ", 100)))
	before := read(t, path)
	_, err := storage.Open(t.Context(), storage.Config{Dir: dir, Create: true})
	if err == nil || !strings.HasPrefix(err.Error(), "open "+path+": ") || !strings.Contains(err.Error(), "file is not a database") {
		t.Errorf("got error %v", err)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file has changed")
	}
	if _, err := secret.ReadKeyset(filepath.Join(dir, "keyset.json")); err != nil {
		t.Error(err)
	}
}
