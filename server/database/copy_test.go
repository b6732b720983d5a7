package database_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

// large is a database of more pages than one step copies.
func large(t *testing.T, path string) *database.DB {
	t.Helper()
	db := migrated(t, path)
	row, err := insert(t.Context(), db.Write.OAuthClient)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write.ClientLogo.Create().SetClientID(row.ID).SetPng(make([]byte, 4<<20)).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func nothing(tx.Transactor) error { return nil }

func silent(int64, int64) {}

// SQLite begins a copy anew whenever somebody else has written: a copy of a
// busy database would never end.
func TestACopyIsOfOneMomentWhileOthersWrite(t *testing.T) {
	path := newPath(t)
	db := large(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	var steps []int64
	var all int64
	err := database.CopySQLite(t.Context(), path, target, nothing, func(done, total int64) {
		steps, all = append(steps, done), total
		if _, err := insert(t.Context(), db.Write.OAuthClient); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []int64
	for done := int64(1 << 20); done < all; done += 1 << 20 {
		want = append(want, done)
	}
	if diff := cmp.Diff(append(want, all), steps); diff != "" || all < 4<<20 {
		t.Errorf("of %d bytes (-want +got):\n%s", all, diff)
	}
	wantClients(t, db, 1+len(steps))
	wantClients(t, open(t, target), 1)
}

func TestACopyIsOneFileForItsOwnerOnly(t *testing.T) {
	path := newPath(t)
	large(t, path)
	dir := t.TempDir()
	target := filepath.Join(dir, "copy.db")
	err := database.CopySQLite(t.Context(), path, target, func(transact tx.Transactor) error {
		return transact(t.Context(), func(tx *ent.Tx) error {
			_, err := insert(t.Context(), tx.OAuthClient)
			return err
		})
	}, silent)
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

func TestACopyReplacesNothing(t *testing.T) {
	path := newPath(t)
	migrated(t, path)
	target := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := database.CopySQLite(t.Context(), path, target, nothing, silent)
	if !errors.Is(err, os.ErrExist) || err.Error() != "copy database: open "+target+": file exists" {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(target); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q, error %v", content, err)
	}
}

func TestACopyEndsWithItsCaller(t *testing.T) {
	path := newPath(t)
	large(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	err := database.CopySQLite(ctx, path, filepath.Join(t.TempDir(), "copy.db"), nothing, func(int64, int64) {
		steps++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || err.Error() != "copy database: context canceled" || steps != 1 {
		t.Errorf("got error %v after %d steps", err, steps)
	}
}

func TestWhatCannotBeCopiedIsAnError(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("last has failed")
	for name, tt := range map[string]struct {
		from, to string
		last     func(tx.Transactor) error
		want     string
	}{
		"no database":         {path, newPath(t), nothing, "copy database: file is not a database"},
		"no file":             {path + "-nothing", newPath(t), nothing, "copy database: unable to open database file"},
		"no folder":           {path, filepath.Join(path, "copy.db"), nothing, "copy database: open " + path + "/copy.db: not a directory"},
		"an error at the end": {sound(t), newPath(t), func(tx.Transactor) error { return failed }, "copy database: last has failed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := database.CopySQLite(t.Context(), tt.from, tt.to, tt.last, silent)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
}

// sound is the path of a database that nobody has open.
func sound(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	if err := large(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifySQLiteReadsTheWholeFile(t *testing.T) {
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
