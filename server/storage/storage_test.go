package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// open opens what config says until the test ends.
func open(t *testing.T, config storage.Config) *storage.Storage {
	t.Helper()
	s, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test that closes it looks at the error
	return s
}

// closed makes the data of a first run and returns its folder.
func closed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := open(t, storage.Config{Dir: dir, Create: true}).Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// files are the names and modes of what is in a folder.
func files(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[entry.Name()] = info.Mode()
	}
	return modes
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestAFirstRunMakesWhatOnlyItsOwnerCanRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := open(t, storage.Config{Dir: dir, Create: true})
	info, err := os.Stat(dir)
	if err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the folder has mode %v, error %v", info.Mode(), err)
	}
	write(t, s, "UPDATE keyset_checks SET sealed = sealed")
	want := map[string]fs.FileMode{"clientsd.db": 0o600, "clientsd.db-wal": 0o600, "clientsd.db-shm": 0o600, "keyset.json": 0o600}
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("while it is open (-want +got):\n%s", diff)
	}
	if !s.Created || s.Migrated != 0 || s.DatabaseFile != filepath.Join(dir, "clientsd.db") || s.KeysetFile != filepath.Join(dir, "keyset.json") {
		t.Errorf("got %+v", s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	delete(want, "clientsd.db-wal")
	delete(want, "clientsd.db-shm")
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("after it was closed (-want +got):\n%s", diff)
	}
}

func write(t *testing.T, s *storage.Storage, statement string) {
	t.Helper()
	if _, err := s.DB.Write.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestALaterRunOpensWhatIsThere(t *testing.T) {
	dir := closed(t)
	keyset := read(t, filepath.Join(dir, "keyset.json"))
	for _, create := range []bool{true, false} {
		s := open(t, storage.Config{Dir: dir, Create: create})
		if s.Created || s.Migrated != 0 {
			t.Errorf("Create %v: got Created %v, Migrated %d", create, s.Created, s.Migrated)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(keyset, read(t, filepath.Join(dir, "keyset.json"))) {
		t.Error("the keyset has changed")
	}
}

func TestOpenWithoutCreateMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, err := storage.Open(t.Context(), storage.Config{Dir: dir})
	if !errors.Is(err, storage.ErrNoData) || err.Error() != "open "+dir+": there is no database yet: clientsd serve makes one" {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there, error %v", err)
	}
}

// A database without its keyset must not be made worse: not one byte of it
// changes, and no keyset is made that would hide the loss.
func TestADatabaseWithoutItsKeysetIsNotTouched(t *testing.T) {
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
		"that of another database": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, other) },
			storage.Config{},
			storage.ErrKeysetWrong, "open DATABASE: the keyset is not the one this database was made with",
		},
		"that of another database, as content": {
			missing,
			storage.Config{KeysetContent: string(other)},
			storage.ErrKeysetWrong, "open DATABASE: the keyset is not the one this database was made with",
		},
		"no keyset at all": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, []byte("{}")) },
			storage.Config{},
			nil, "parse keyset: not a Tink keyset in JSON",
		},
		"no keyset at all, as content": {
			missing,
			storage.Config{KeysetContent: "{}"},
			nil, "parse keyset: not a Tink keyset in JSON",
		},
		"readable by others": {
			func(t *testing.T, path string) {
				t.Helper()
				if err := os.Chmod(path, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			storage.Config{},
			nil, "read keyset: KEYSET has mode 0644, others can read it: chmod 600",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := closed(t)
			db, keyset := filepath.Join(dir, "clientsd.db"), filepath.Join(dir, "keyset.json")
			tt.prepare(t, keyset)
			before, beforeFiles := read(t, db), files(t, dir)
			tt.config.Dir, tt.config.Create = dir, true
			s, err := storage.Open(t.Context(), tt.config)
			want := strings.NewReplacer("KEYSET", keyset, "DATABASE", db).Replace(tt.want)
			if s != nil || err == nil || err.Error() != want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, error %v\nwant error %s", s, err, want)
			}
			if !bytes.Equal(before, read(t, db)) {
				t.Error("the database has changed")
			}
			afterFiles := files(t, dir)
			delete(afterFiles, "clientsd.db-wal") // SQLite makes both, empty, to read a database
			delete(afterFiles, "clientsd.db-shm")
			if diff := cmp.Diff(beforeFiles, afterFiles); diff != "" {
				t.Errorf("the files (-before +after):\n%s", diff)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheKeysetMayBeElsewhere(t *testing.T) {
	dir, elsewhere := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "keys", "k.json")
	s := open(t, storage.Config{Dir: dir, KeysetFile: elsewhere, Create: true})
	check, err := s.Keyset.SealCheck()
	if err != nil || s.KeysetFile != elsewhere {
		t.Fatalf("got keyset file %q, error %v", s.KeysetFile, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"clientsd.db": 0o600}, files(t, dir)); diff != "" {
		t.Errorf("the data folder (-want +got):\n%s", diff)
	}

	// Its content alone does as well, and wins over a file.
	content := string(read(t, elsewhere))
	s = open(t, storage.Config{Dir: dir, KeysetFile: "/nowhere", KeysetContent: content, Create: true})
	if err := s.Keyset.OpenCheck(check); err != nil || s.KeysetFile != "" {
		t.Errorf("got keyset file %q, error %v", s.KeysetFile, err)
	}
}

// Two processes may start at once on an empty folder. Whoever is first, both
// must work on one database that fits one keyset.
func TestFirstRunsAtOnceEndWithOneDatabase(t *testing.T) {
	const processes = 8
	dir := filepath.Join(t.TempDir(), "data")
	opened, errs := make([]*storage.Storage, processes), make([]error, processes)
	var group sync.WaitGroup
	for i := range processes {
		group.Go(func() { opened[i], errs[i] = storage.Open(t.Context(), storage.Config{Dir: dir, Create: true}) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	created := 0
	check, err := opened[0].Keyset.SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range opened {
		if s.Created {
			created++
		}
		if err := s.Keyset.OpenCheck(check); err != nil {
			t.Errorf("two processes have two keysets: %v", err)
		}
		write(t, s, "UPDATE keyset_checks SET sealed = sealed")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("%d processes say that they made the database", created)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"clientsd.db": 0o600, "keyset.json": 0o600}, files(t, dir)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	open(t, storage.Config{Dir: dir})
}

// What an interrupted first run leaves must not be taken for a database.
func TestAFirstRunThatFailsLeavesNoDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := storage.Open(ctx, storage.Config{Dir: dir, Create: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"keyset.json": 0o600}, files(t, dir)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	keyset := read(t, filepath.Join(dir, "keyset.json"))
	s := open(t, storage.Config{Dir: dir, Create: true})
	if !s.Created || !bytes.Equal(keyset, read(t, filepath.Join(dir, "keyset.json"))) {
		t.Errorf("the next run: Created %v", s.Created)
	}
}

func TestADatabaseOfANewerBinaryIsRefused(t *testing.T) {
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

func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
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
