package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/backup"
	"clientsd/server/database"
	"clientsd/server/storage"
)

func silent(int64, int64) {}

// source opens a new database of three clients, the last of them public.
func source(t *testing.T) *storage.Storage {
	t.Helper()
	s, err := storage.Open(t.Context(), storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	register(t, s, 3)
	register(t, s, 1)
	register(t, s, 0)
	return s
}

// backupOf takes a backup of a database and returns its path.
func backupOf(t *testing.T, s *storage.Storage) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	if _, err := backup.Make(t.Context(), s.DatabaseFile, path, silent); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantAlone fails the test unless a folder has the named files and no others.
func wantAlone(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if diff := cmp.Diff(append([]string{}, want...), names); diff != "" {
		t.Errorf("%s (-want +got):\n%s", dir, diff)
	}
}

func TestMake_OneMarkedFile(t *testing.T) {
	s := source(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	before := time.Now().Truncate(time.Second)
	got, err := backup.Make(t.Context(), s.DatabaseFile, path, silent)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != got.Bytes {
		t.Errorf("the file: got %v, error %v", info, err)
	}
	if got.Clients != 2 || got.Mark.TakenAt.Before(before) || got.Mark.TakenAt.After(time.Now()) {
		t.Errorf("got %+v", got)
	}
	wantAlone(t, dir, "backup.db")
	if err := storage.CheckRestored(t.Context(), s.DB.Read, s.DB.Dialect()); err != nil {
		t.Errorf("the database itself must not be marked: %v", err)
	}
}

func TestMake_TargetExists(t *testing.T) {
	s := source(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	if err := os.Symlink("nowhere", path); err != nil { // not even a dead link
		t.Fatal(err)
	}
	_, err := backup.Make(t.Context(), s.DatabaseFile, path, silent)
	want := "back up to " + path + ": there is a file of this name already, and a backup replaces none: choose another name"
	if !errors.Is(err, backup.ErrExists) || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if target, err := os.Readlink(path); err != nil || target != "nowhere" {
		t.Errorf("the link leads to %q, error %v", target, err)
	}
}

// Another process may create the target while the copy is written.
func TestMake_TargetAppearsMeanwhile(t *testing.T) {
	s := source(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	_, err := backup.Make(t.Context(), s.DatabaseFile, path, func(int64, int64) {
		if err := os.WriteFile(path, []byte("faster"), 0o600); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, backup.ErrExists) {
		t.Errorf("got error %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "faster" {
		t.Errorf("the file holds %q, error %v", content, err)
	}
	wantAlone(t, dir, "backup.db")
}

func TestMake_Canceled(t *testing.T) {
	s := source(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(dir, "backup.db")
	_, err := backup.Make(ctx, s.DatabaseFile, path, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "back up to "+path+": ") {
		t.Errorf("got error %v", err)
	}
	wantAlone(t, dir)
}

func TestMake_UnsoundDatabase(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, s *storage.Storage)
		want    error
		says    string
	}{
		"a damaged row, which SQLite would copy": {
			func(t *testing.T, s *storage.Storage) { damage(t, s) },
			database.ErrDamaged, "verify database: the database is damaged: NULL value in oauth_clients.secret_created_at",
		},
		"a lost row, which SQLite would leave out": {
			func(t *testing.T, s *storage.Storage) { loseRow(t, s) },
			database.ErrDamaged, "verify database: the database is damaged: wrong # of entries in index oauthclient_organisation_created_at_id",
		},
		"a database without its keyset check": {
			func(t *testing.T, s *storage.Storage) { execute(t, s, "DELETE FROM keyset_checks") },
			database.ErrForeign, "this is not a database of clientsd",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t)
			tt.prepare(t, s)
			dir := t.TempDir()
			path := filepath.Join(dir, "backup.db")
			_, err := backup.Make(t.Context(), s.DatabaseFile, path, silent)
			if !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "back up to "+path+": "+tt.says) {
				t.Errorf("got error %v", err)
			}
			wantAlone(t, dir)
		})
	}
}

// That takes no look at the database, which may take minutes.
func TestMake_FolderMissing(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "clientsd.db")
	if err := os.WriteFile(damaged, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nowhere", "backup.db")
	_, err := backup.Make(t.Context(), damaged, path, silent)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "back up to "+path+": ") {
		t.Errorf("got error %v", err)
	}
}

func TestMake_Progress(t *testing.T) {
	s := source(t)
	execute(t, s, "CREATE TABLE filler (content blob)", "INSERT INTO filler VALUES (zeroblob(64 << 20))")
	type call struct{ done, total int64 }
	var calls []call
	record := func(done, total int64) { calls = append(calls, call{done, total}) }
	if _, err := backup.Make(t.Context(), s.DatabaseFile, filepath.Join(t.TempDir(), "backup.db"), record); err != nil {
		t.Fatal(err)
	}
	last := calls[len(calls)-1]
	if last.done != last.total || last.total < 1<<20 {
		t.Errorf("the last call: got %+v", last)
	}
	for i, c := range calls[:len(calls)-1] {
		if c.done >= c.total || c.total != last.total || i > 0 && c.done < calls[i-1].done {
			t.Errorf("call %d of %d: got %+v", i, len(calls), c)
		}
	}
}
