package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/auth"
	"clientsd/server/command"
	"clientsd/server/storage"
)

const header = "CLIENT                                VERSION  SECRET SINCE          ORGANISATION  NAME\n"

// row is a client of backedUp in a table: what callers chose is quoted.
const row = `ID        1  TIME  "default"     "a \"name\" \u202ethat turns round"` + "\n"

func TestRestoreSaysWhatToDoNext(t *testing.T) {
	path, from := backedUp(t, 2)
	keyset := filepath.Join(from, "keyset.json")
	dir, got := restoredFrom(t, path, keyset)
	wantMatch(t, filepath.Join(dir, "clientsd.db")+": restored from the backup of TIME\n"+
		"secrets that were rotated since would be valid again, of up to 2 clients; see them, then accept it once:\n\n"+
		"    clientsd rollback list --data-dir "+dir+" --keyset "+keyset+"\n"+
		"    clientsd serve --data-dir "+dir+" --keyset "+keyset+" --accept-rollback\n", got)

	var list command.RollbackList
	list.DataDir = dir // it needs no keyset
	stdout, stderr, err := spoken(t, list.Run)
	if err != nil {
		t.Fatal(err)
	}
	wantMatch(t, header+strings.Repeat(row, 2), stdout)
	wantMatch(t, filepath.Join(dir, "clientsd.db")+" was restored from the backup of TIME; the secret of 2 clients may have been rotated since:\n", stderr)
}

func TestServeListsTheFirstClientsThatARollbackConcerns(t *testing.T) {
	path, from := backedUp(t, 22)
	dir, _ := restoredFrom(t, path, filepath.Join(from, "keyset.json"))
	serve := command.Serve{Addr: "127.0.0.1:0"}
	keyset := filepath.Join(from, "keyset.json")
	serve.DataDir, serve.Keyset, serve.LogLevel = dir, keyset, "info"
	before, err := os.ReadFile(filepath.Join(dir, "clientsd.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, err := spoken(t, serve.Run)
	if err == nil {
		t.Fatal("it was served")
	}
	wantMatch(t, "open "+filepath.Join(dir, "clientsd.db")+": the database was restored from the backup of TIME, "+
		"and secrets that were rotated since would be valid again, of up to 22 clients: "+
		"see clientsd rollback list, then start clientsd serve once with --accept-rollback", err.Error())
	wantMatch(t, header+strings.Repeat(row, 20)+"and 2 more: clientsd rollback list --data-dir "+dir+" --keyset "+keyset+"\n", stderr)
	if after, err := os.ReadFile(filepath.Join(dir, "clientsd.db")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database has changed, error %v", err)
	}
}

// Who hands out what the database holds, or changes it, waits until somebody has
// accepted it. Who only looks, migrates or copies does not, and leaves the mark.
func TestOnARestoredDatabaseOnlyLookingIsAllowed(t *testing.T) {
	path, from := backedUp(t, 1)
	dir, _ := restoredFrom(t, path, filepath.Join(from, "keyset.json"))
	content, err := os.ReadFile(filepath.Join(from, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keyset.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	var rotate command.KeysetRotate
	var rekey command.KeysetRekey
	var prune command.KeysetPrune
	var signing command.SigningKeyRotate
	token := command.Token{Scope: "oauth:clients:read", Subject: "me", Audience: "clientsd", TTL: time.Hour}
	rotate.DataDir, rekey.DataDir, prune.DataDir, signing.DataDir, token.DataDir = dir, dir, dir, dir, dir
	var restored *storage.RestoredError
	for _, run := range []func(*command.Environment) error{rotate.Run, rekey.Run, prune.Run, signing.Run, token.Run} {
		if got, err := said(t, run); !errors.As(err, &restored) || got != "" {
			t.Errorf("got %q, error %v", got, err)
		}
	}
	var info command.KeysetInfo
	var migrate command.Migrate
	var list command.RollbackList
	backup := command.Backup{File: filepath.Join(t.TempDir(), "again.db")}
	info.DataDir, migrate.DataDir, list.DataDir, backup.DataDir = dir, dir, dir, dir
	for _, run := range []func(*command.Environment) error{info.Run, migrate.Run, list.Run, backup.Run} {
		if _, err := said(t, run); err != nil {
			t.Error(err)
		}
	}
	if _, err := storage.Open(t.Context(), storage.Config{Dir: dir}); !errors.As(err, &restored) {
		t.Errorf("the mark is gone: %v", err)
	}
}

func TestMarkSaysOfADatabaseThatItWasRestored(t *testing.T) {
	for name, tt := range map[string]struct {
		takenAt time.Time
		want    string
	}{
		"of a time that is known": {time.Date(2026, 11, 21, 20, 34, 38, 0, time.UTC), "the backup of 2026-11-21T20:34:38Z"},
		"of a time that is not":   {time.Time{}, "a backup of unknown age"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := firstRun(t)
			mark := command.RollbackMark{TakenAt: tt.takenAt}
			mark.DataDir = dir
			path := filepath.Join(dir, "clientsd.db")
			wantSaid(t, mark.Run, path+" is marked as restored: see clientsd rollback list --data-dir "+dir+"\n")
			var list command.RollbackList
			list.DataDir = dir
			stdout, stderr, err := spoken(t, list.Run)
			want := path + " was restored from " + tt.want + "; the secret of 0 clients may have been rotated since:\n"
			if diff := cmp.Diff([]string{header, want}, []string{stdout, stderr}); diff != "" || err != nil {
				t.Errorf("error %v, said (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRollbackList_NeverRestored(t *testing.T) {
	dir, _ := firstRun(t)
	var list command.RollbackList
	list.DataDir = dir
	stdout, stderr, err := spoken(t, list.Run)
	want := filepath.Join(dir, "clientsd.db") + " was not restored from a backup, or that was accepted\n"
	if stdout != "" || stderr != want || err != nil {
		t.Errorf("got %q, %q, error %v", stdout, stderr, err)
	}
}

// untilServing collects what is logged, and calls stop when a server serves.
type untilServing struct {
	bytes.Buffer

	stop func()
}

func (w *untilServing) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"serving"`)) {
		w.stop()
	}
	return w.Buffer.Write(p)
}

func TestServeLogsWhatItAccepts(t *testing.T) {
	path, from := backedUp(t, 3)
	dir, _ := restoredFrom(t, path, filepath.Join(from, "keyset.json"))
	for _, tt := range []struct {
		accept bool
		want   string
	}{
		{true, `"level":"WARN","msg":"accepted a database that was restored: secrets from before its backup may be valid again","backup":"the backup of TIME","clients":3}` + "\n"},
		{true, `"level":"WARN","msg":"--accept-rollback: there is nothing to accept; leave it out, or the next restore is accepted unseen"}` + "\n"},
		{false, ""},
	} {
		serve := command.Serve{Addr: "127.0.0.1:0", AcceptRollback: tt.accept, SecretReadScope: auth.ScopeManage}
		serve.DataDir, serve.Keyset, serve.LogLevel = dir, filepath.Join(from, "keyset.json"), "info"
		ctx, stop := context.WithCancel(t.Context())
		logs := &untilServing{stop: stop}
		if err := serve.Run(&command.Environment{Context: ctx, Stdout: io.Discard, Stderr: logs}); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range strings.Lines(logs.String()) {
			if _, rest, isWarning := strings.Cut(line, `Z",`); isWarning && strings.Contains(line, "WARN") {
				got.WriteString(rest)
			}
		}
		wantMatch(t, tt.want, got.String())
	}
}
