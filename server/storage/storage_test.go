package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/secret"
	"clientsd/server/storage"
)

// open opens the storage until the test ends.
func open(t *testing.T, config storage.Config) *storage.Storage {
	t.Helper()
	s, err := storage.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test that closes it looks at the error
	return s
}

// closed creates the data of a first run and returns its folder.
func closed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := open(t, storage.Config{Dir: dir, Create: true}).Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sealer returns the primary key of the keyset.
func sealer(t *testing.T, s *storage.Storage) secret.Sealer {
	t.Helper()
	sealer, err := s.Keyset.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// files returns the names and modes of the files in a folder.
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

func TestOpen_FirstRunCreatesPrivateFiles(t *testing.T) {
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

func TestOpen_LaterRun(t *testing.T) {
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

func TestOpen_WithoutCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, err := storage.Open(t.Context(), storage.Config{Dir: dir})
	if !errors.Is(err, storage.ErrNoData) || err.Error() != "open "+dir+": there is no database yet: clientsd serve creates one" {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there, error %v", err)
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

func TestOpen_KeysetInAnotherFolder(t *testing.T) {
	dir, elsewhere := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "keys", "k.json")
	s := open(t, storage.Config{Dir: dir, KeysetFile: elsewhere, Create: true})
	check, err := sealer(t, s).SealCheck()
	if err != nil || s.KeysetFile != elsewhere {
		t.Fatalf("got keyset file %q, error %v", s.KeysetFile, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"clientsd.db": 0o600}, files(t, dir)); diff != "" {
		t.Errorf("the data folder (-want +got):\n%s", diff)
	}

	// The content of the keyset overrides the file.
	content := string(read(t, elsewhere))
	s = open(t, storage.Config{Dir: dir, KeysetFile: "/nowhere", KeysetContent: content, Create: true})
	if err := s.Keyset.OpenCheck(check); err != nil || s.KeysetFile != "" {
		t.Errorf("got keyset file %q, error %v", s.KeysetFile, err)
	}
}

// Processes may start concurrently on an empty folder. All of them must work on one
// database with one keyset.
func TestOpen_ConcurrentFirstRuns(t *testing.T) {
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
	check, err := sealer(t, opened[0]).SealCheck()
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
		t.Errorf("%d processes say that they created the database", created)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"clientsd.db": 0o600, "keyset.json": 0o600}, files(t, dir)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	open(t, storage.Config{Dir: dir})
}

// An interrupted first run must not leave a file with the name of the database.
func TestOpen_FirstRunFails(t *testing.T) {
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
