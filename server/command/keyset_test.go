package command_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/command"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// firstRun makes the data of a server without clients, and returns its folder
// and the id of its key.
func firstRun(t *testing.T) (dir string, key uint32) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	opened, err := storage.Open(t.Context(), storage.Config{Dir: dir, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.OpenOrCreate(t.Context(), issuer.Database{Read: opened.DB.Read, Transact: opened.DB.Serialise}, opened.Keyset); err != nil {
		t.Fatal(err)
	}
	key = opened.Keyset.Primary()
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, key
}

// said is what a command wrote to standard output.
func said(t *testing.T, run func(*command.Environment) error) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(&command.Environment{Context: t.Context(), Stdout: &stdout, Stderr: &stderr, Version: "test"})
	return stdout.String(), err
}

func wantSaid(t *testing.T, run func(*command.Environment) error, want string) {
	t.Helper()
	got, err := said(t, run)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, said (-want +got):\n%s", err, diff)
	}
}

// age makes the last change of the keyset so old that no command waits.
func age(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(dir, "keyset.json"), time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func primary(t *testing.T, dir string) uint32 {
	t.Helper()
	keyset, err := secret.ReadKeyset(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	return keyset.Primary()
}

func TestKeyset_RotationInThreeSteps(t *testing.T) {
	dir, old := firstRun(t)
	var rotate command.KeysetRotate
	var rekey command.KeysetRekey
	var prune command.KeysetPrune
	rotate.DataDir, rekey.DataDir, prune.DataDir = dir, dir, dir
	age(t, dir)
	wantTable(t, dir, fmt.Sprintf("%d primary 2", old))
	wantSaid(t, prune.Run, "no key can be removed\n")

	rotated, err := said(t, rotate.Run)
	key := primary(t, dir)
	want := fmt.Sprintf("key %d is the primary key now; back up %s, then: clientsd keyset rekey --data-dir %s\n", key, filepath.Join(dir, "keyset.json"), dir)
	if rotated != want || err != nil || key == old {
		t.Errorf("got %q, error %v, want %q", rotated, err, want)
	}
	age(t, dir)
	wantTable(t, dir, fmt.Sprintf("%d old 2", old), fmt.Sprintf("%d primary 0", key))
	wantSaid(t, prune.Run, "no key can be removed\n")
	wantSaid(t, rekey.Run, fmt.Sprintf("1 rows sealed again; everything is sealed with key %d\n", key))
	wantTable(t, dir, fmt.Sprintf("%d old 0", old), fmt.Sprintf("%d primary 2", key))
	wantSaid(t, prune.Run, fmt.Sprintf("removed %d\n", old))
	age(t, dir)
	wantTable(t, dir, fmt.Sprintf("%d primary 2", key))
	wantSaid(t, prune.Run, "no key can be removed\n")
}

// wantTable fails the test unless keyset info prints these rows: key, role and
// count.
func wantTable(t *testing.T, dir string, rows ...string) {
	t.Helper()
	var info command.KeysetInfo
	info.DataDir = dir
	text, err := said(t, info.Run)
	var got []string
	for line := range strings.Lines(text) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if diff := cmp.Diff(append([]string{"KEY ROLE SEALED ROWS"}, rows...), got); diff != "" || err != nil {
		t.Errorf("error %v, table (-want +got):\n%s", err, diff)
	}
}

func TestKeysetPrune_KeyInUse(t *testing.T) {
	dir, old := firstRun(t)
	var rotate command.KeysetRotate
	var prune command.KeysetPrune
	rotate.DataDir, prune.DataDir = dir, dir
	if _, err := said(t, rotate.Run); err != nil {
		t.Fatal(err)
	}
	age(t, dir)
	var stdout, stderr bytes.Buffer
	err := prune.Run(&command.Environment{Context: t.Context(), Stdout: &stdout, Stderr: &stderr})
	want := fmt.Sprintf("key %d stays, 2 rows are sealed with it: clientsd keyset rekey --data-dir %s\n", old, dir)
	if err != nil || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("got %q, error %v, want %q", stderr.String(), err, want)
	}
}

// untilWaiting calls stop when a command says that it waits.
type untilWaiting struct{ stop func() }

func (w untilWaiting) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("waiting until every running server uses the keyset")) {
		w.stop()
	}
	return len(p), nil
}

// A server may still seal with a key that is no longer the primary one. What it seals
// would be missed by rekey, and lost by prune.
func TestKeyset_RekeyAndPruneWaitForServers(t *testing.T) {
	dir, _ := firstRun(t)
	var rotate command.KeysetRotate
	var rekey command.KeysetRekey
	var prune command.KeysetPrune
	rotate.DataDir, rekey.DataDir, prune.DataDir = dir, dir, dir
	if _, err := said(t, rotate.Run); err != nil {
		t.Fatal(err)
	}
	age(t, dir)
	if _, err := said(t, rekey.Run); err != nil { // so that there is something to prune
		t.Fatal(err)
	}
	if _, err := said(t, rotate.Run); err != nil { // just now
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keyset.json")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(*command.Environment) error{"rekey": rekey.Run, "prune": prune.Run} {
		ctx, stop := context.WithCancel(t.Context())
		var stdout bytes.Buffer
		err := run(&command.Environment{Context: ctx, Stdout: &stdout, Stderr: untilWaiting{stop}})
		if err == nil || err.Error() != "wait for running servers: context canceled" || stdout.Len() > 0 {
			t.Errorf("%s: got %q, error %v", name, &stdout, err)
		}
		stop()
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the keyset has changed, error %v", err)
	}
}

func TestKeysetRotate_FromEnvironment(t *testing.T) {
	dir, _ := firstRun(t)
	content, err := os.ReadFile(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLIENTSD_KEYSET", string(content))
	var rotate command.KeysetRotate
	rotate.DataDir = dir
	got, err := said(t, rotate.Run)
	if err == nil || err.Error() != "the keyset does not come from a file: change it where it is kept" || got != "" {
		t.Errorf("got %q, error %v", got, err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "keyset.json")); err != nil || !bytes.Equal(after, content) {
		t.Errorf("the file has changed, error %v", err)
	}
}

func TestCommands_WithoutADatabase(t *testing.T) {
	dir := t.TempDir()
	var info command.KeysetInfo
	var rotate command.KeysetRotate
	var rekey command.KeysetRekey
	var prune command.KeysetPrune
	var signing command.SigningKeyRotate
	var token command.Token
	info.DataDir, rotate.DataDir, rekey.DataDir, prune.DataDir, signing.DataDir, token.DataDir = dir, dir, dir, dir, dir, dir
	token.Scope, token.Subject = "oauth:clients:read", "me"
	want := "open " + dir + ": there is no database yet: clientsd serve creates one"
	for _, run := range []func(*command.Environment) error{info.Run, rotate.Run, rekey.Run, prune.Run, signing.Run, token.Run} {
		if got, err := said(t, run); err == nil || err.Error() != want || got != "" {
			t.Errorf("got %q, error %v, want %s", got, err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}
