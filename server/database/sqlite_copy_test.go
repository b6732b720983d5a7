package database_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

// large creates a database of 16 MiB.
func large(t *testing.T, path string) *database.DB {
	t.Helper()
	db := migrated(t, path)
	insertWithLogo(t, db, 16<<20)
	return db
}

// insertWithLogo inserts a client and its logo in one transaction.
func insertWithLogo(t *testing.T, db *database.DB, size int) {
	t.Helper()
	err := db.Transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
		row, err := insert(ctx, tx.OAuthClient)
		if err != nil {
			return err
		}
		return tx.ClientLogo.Create().SetClientID(row.ID).SetPng(make([]byte, size)).Exec(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

func nothing(tx.Transactor) error { return nil }

func TestCopySQLite_OneMomentWhileOthersWrite(t *testing.T) {
	path := newPath(t)
	db := large(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	var written atomic.Int64
	written.Store(1)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				insertWithLogo(t, db, 1)
				written.Add(1)
			}
		}
	})
	for written.Load() < 10 {
		runtime.Gosched()
	}
	before := written.Load()
	err := database.CopySQLite(t.Context(), path, target, nothing)
	after := written.Load()
	close(stop)
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	copied := open(t, target).Read
	clients, clientsErr := copied.OAuthClient.Query().Count(t.Context())
	logos, logosErr := copied.ClientLogo.Query().Count(t.Context())
	if err := errors.Join(clientsErr, logosErr); err != nil {
		t.Fatal(err)
	}
	if clients != logos || int64(clients) < before || int64(clients) > after+1 || after-before < 2 {
		t.Errorf("got %d clients and %d logos, written %d before and %d after", clients, logos, before, after)
	}
}

func TestCopySQLite_OneFileForItsOwnerOnly(t *testing.T) {
	path := newPath(t)
	large(t, path)
	dir := t.TempDir()
	target := filepath.Join(dir, "a copy?of%20all.db")
	err := database.CopySQLite(t.Context(), path, target, func(transact tx.Transactor) error {
		return transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
			_, err := insert(ctx, tx.OAuthClient)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := database.VerifySQLite(t.Context(), target); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v, error %v", entries, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, error %v", info, err)
	}
	wantClients(t, open(t, target), 2)
}

// The copy can be opened where nothing can be written, such as in a snapshot.
func TestCopySQLite_NoWAL(t *testing.T) {
	path := newPath(t)
	migrated(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	if err := database.CopySQLite(t.Context(), path, target, nothing); err != nil {
		t.Fatal(err)
	}
	db, err := database.OpenReadOnly(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := pragma(t, db, "journal_mode"); got != "delete" {
		t.Errorf("got journal mode %s", got)
	}
}

func TestCopySQLite_TargetExists(t *testing.T) {
	path := newPath(t)
	migrated(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := database.CopySQLite(t.Context(), path, target, nothing)
	if !errors.Is(err, os.ErrExist) || err.Error() != "copy database: open "+target+": file exists" {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(target); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q, error %v", content, err)
	}
}

func TestCopySQLite_CallerCanceled(t *testing.T) {
	path := newPath(t)
	large(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for t.Context().Err() == nil { // until the copy has begun
			if info, err := os.Stat(target); err == nil && info.Size() > 0 {
				cancel()
				return
			}
		}
	}()
	called := false
	err := database.CopySQLite(ctx, path, target, func(tx.Transactor) error {
		called = true
		return nil
	})
	if !errors.Is(err, context.Canceled) || err.Error() != "copy database: context canceled" || called {
		t.Errorf("got error %v, last was called: %v", err, called)
	}
}

func TestCopySQLite_Fails(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("last has failed")
	for name, tt := range map[string]struct {
		from, to string
		last     func(tx.Transactor) error
		is       error
		want     string
	}{
		"no database":      {path, newPath(t), nothing, nil, "copy database: file is not a database"},
		"no file":          {path + "-nothing", newPath(t), nothing, nil, "copy database: unable to open database file"},
		"no folder":        {sound(t), filepath.Join(path, "copy.db"), nothing, nil, "copy database: open " + path + "/copy.db: not a directory"},
		"an error of last": {sound(t), newPath(t), func(tx.Transactor) error { return failed }, failed, "copy database: last has failed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := database.CopySQLite(t.Context(), tt.from, tt.to, tt.last)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
}

// sound returns the path of a database that nobody has open.
func sound(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	db := migrated(t, path)
	insertWithLogo(t, db, 4<<20)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifySQLite_ReadsTheWholeFile(t *testing.T) {
	change := func(edit func(content []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, edit(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		damage func(*testing.T, string)
		want   error
	}{
		"as it was closed": {func(*testing.T, string) {}, nil},
		"its second half is missing": {
			change(func(content []byte) []byte { return content[:len(content)/2] }), database.ErrDamaged,
		},
		"its end is missing, within a page": {
			change(func(content []byte) []byte { return content[:len(content)-5000] }), database.ErrDamaged,
		},
		"a page is overwritten": {
			change(func(content []byte) []byte {
				copy(content[4096*3:4096*4], strings.Repeat("x", 4096))
				return content
			}), database.ErrDamaged,
		},
		"text": {
			change(func([]byte) []byte { return []byte(strings.Repeat("no database ", 1000)) }), database.ErrDamaged,
		},
		"nothing": {change(func([]byte) []byte { return nil }), database.ErrForeign},
		"of a newer binary": {
			func(t *testing.T, path string) {
				db := open(t, path)
				if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999999999999, 1)"); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}, database.ErrNewerSchema,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := sound(t)
			tt.damage(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			err = database.VerifySQLite(t.Context(), path)
			if !errors.Is(err, tt.want) || err != nil && !strings.HasPrefix(err.Error(), "verify database: "+tt.want.Error()) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(before) != string(after) {
				t.Errorf("the file has changed, error %v", err)
			}
		})
	}
}
