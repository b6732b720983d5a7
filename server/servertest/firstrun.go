package servertest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"clientsd/server"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// OwnKeys gives a server a keyset and a signing key that it does not share with the
// other servers of the tests.
func OwnKeys(t testing.TB) func(*server.Config) {
	t.Helper()
	return func(c *server.Config) {
		// A folder that is not empty stays as it is.
		if _, err := secret.CreateKeyset(filepath.Join(c.Storage.Dir, "keyset.json")); err != nil {
			t.Fatal(err)
		}
	}
}

// copyFirstRun gives an empty data folder what the first run of a server makes: the
// keyset, and a database with a signing key. To make an RSA key takes longer than
// most tests.
func copyFirstRun(t testing.TB, dir string) {
	t.Helper()
	if storagetest.IsPostgres() {
		return
	}
	if found, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(found) > 0 {
		return
	}
	files, err := firstRun()
	if err != nil {
		t.Fatalf("first run: %v", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// firstRun runs a server once for all tests of a package, and returns its files by
// their names.
var firstRun = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "clientsd-first-run-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of the system's
	ctx, stop := context.WithCancel(context.Background())
	first, err := server.New(ctx, server.Config{Addr: "127.0.0.1:0", Storage: storage.Config{Dir: dir, Create: true}})
	if err != nil {
		stop()
		return nil, err
	}
	stop()
	if err := first.Run(ctx); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
})
