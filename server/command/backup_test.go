package command_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clientsd/server/command"
	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// spoken is what a command wrote to standard output and standard error.
func spoken(t *testing.T, run func(*command.Environment) error) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(&command.Environment{Context: t.Context(), Stdout: &out, Stderr: &errs, Version: "test"})
	return out.String(), errs.String(), err
}

// backedUp is a backup of a server's data, and that data's folder.
func backedUp(t *testing.T, clients int) (path, dir string) {
	t.Helper()
	storagetest.OnFile(t, "file to copy")
	s := servertest.Start(t)
	for range clients {
		s.Create(t, servertest.Request())
	}
	rename(t, s.Dir, "a \"name\" \u202ethat turns round")
	path = filepath.Join(t.TempDir(), "backup.db")
	backup := command.Backup{File: path}
	backup.DataDir = s.Dir
	if _, err := said(t, backup.Run); err != nil {
		t.Fatal(err)
	}
	return path, s.Dir
}

// rename gives all clients a name that the service refuses, but that an older
// version may have accepted.
func rename(t *testing.T, dir, name string) {
	t.Helper()
	db, err := database.OpenSQLite(t.Context(), filepath.Join(dir, "clientsd.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Write.ExecContext(t.Context(), "UPDATE oauth_clients SET name = $1", name)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// wantMatch fails the test unless the whole of a text is what a pattern says;
// in the pattern TIME is a time and only the rest is literal.
func wantMatch(t *testing.T, pattern, got string) {
	t.Helper()
	quoted := strings.NewReplacer("TIME", `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "SIZE", `\d+\.\d MB`, "ID", `[0-9a-f-]{36}`).
		Replace(regexp.QuoteMeta(pattern))
	if !regexp.MustCompile(`\A` + quoted + `\z`).MatchString(got) {
		t.Errorf("got  %q\nwant %q", got, pattern)
	}
}

func TestBackupSaysThatTheKeysetIsNotInIt(t *testing.T) {
	dir, _ := firstRun(t)
	for name, tt := range map[string]struct {
		keyset, content string
		want            string
	}{
		"in the data folder": {"", "", filepath.Join(dir, "keyset.json")},
		"elsewhere":          {"/etc/keyset.json", "", "/etc/keyset.json"},
		"in the environment": {"/etc/keyset.json", "content", "CLIENTSD_KEYSET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CLIENTSD_KEYSET", tt.content)
			path := filepath.Join(t.TempDir(), "backup.db")
			backup := command.Backup{File: path}
			backup.DataDir, backup.Keyset = dir, tt.keyset
			stdout, stderr, err := spoken(t, backup.Run)
			if err != nil {
				t.Fatal(err)
			}
			wantMatch(t, path+": the backup of TIME, SIZE, 0 clients with a secret\n"+
				"its keyset is not in it: keep a copy of "+tt.want+", and keep the two apart\n", stdout)
			wantMatch(t, "checking the database\ncopied SIZE of SIZE\nreading the copy back\n", stderr)
		})
	}
}

func TestBackupNeedsADatabase(t *testing.T) {
	dir := t.TempDir()
	backup := command.Backup{File: filepath.Join(dir, "backup.db")}
	backup.DataDir = dir
	got, err := said(t, backup.Run)
	if err == nil || err.Error() != "open "+dir+": there is no database yet: clientsd serve creates one" || got != "" {
		t.Errorf("got %q, error %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}

func TestPostgreSQLIsNotCopiedAsAFile(t *testing.T) {
	backup, restore := command.Backup{File: "backup.db"}, command.Restore{File: "backup.db"}
	backup.DatabaseURL, restore.DatabaseURL = "postgres://localhost/clientsd", "postgres://localhost/clientsd"
	for _, run := range []func(*command.Environment) error{backup.Run, restore.Run} {
		got, err := said(t, run)
		want := "--database-url: this copies a file; back PostgreSQL up with pg_dump or by archiving its WAL, " +
			"and run clientsd rollback mark after a restore: see docs/postgresql.md"
		if err == nil || err.Error() != want || got != "" {
			t.Errorf("got %q, error %v", got, err)
		}
	}
	if _, err := os.Stat("backup.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there, error %v", err)
	}
}

func TestRestoreNeedsTheKeysetFirst(t *testing.T) {
	path, _ := backedUp(t, 0)
	dir := filepath.Join(t.TempDir(), "data")
	restore := command.Restore{File: path}
	restore.DataDir = dir
	got, err := said(t, restore.Run)
	want := "restore " + path + ": the keyset is not in a backup: put it at " + filepath.Join(dir, "keyset.json") + " first, or name it with --keyset"
	if err == nil || err.Error() != want || got != "" {
		t.Errorf("got %q, error %v, want %s", got, err, want)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there, error %v", err)
	}
}

// restoredFrom restores a backup to a new folder, with a keyset elsewhere.
func restoredFrom(t *testing.T, path, keyset string) (dir, stdout string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	restore := command.Restore{File: path}
	restore.DataDir, restore.Keyset = dir, keyset
	stdout, err := said(t, restore.Run)
	if err != nil {
		t.Fatal(err)
	}
	return dir, stdout
}
