package binary_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/command"
	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// do runs a command that must succeed.
func do(t *testing.T, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := command.Run(t.Context(), version, args, &stdout, &stderr); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, &stderr)
	}
}

// register makes a client and begins its history.
func (p *process) register(t *testing.T) *history {
	t.Helper()
	made, err := p.clients().CreateClient(t.Context(), servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	return &history{made.GetClient().GetClientId(), []string{made.GetClient().GetClientSecret()}}
}

// What is copied while eight callers rotate must be one state of the database,
// with all that was acknowledged before: every secret opens, is the one that was
// given out, and has its events.
func TestBackup_UnderLoad(t *testing.T) {
	const callers, backups, each = 8, 3, 40
	dir, target := t.TempDir(), t.TempDir()
	p := startProcess(t, dir)
	histories := make([]*history, callers)
	for i := range histories {
		histories[i] = p.register(t)
	}
	var rotations atomic.Int64
	var group sync.WaitGroup
	for _, h := range histories {
		group.Go(func() { h.rotateUntilGone(t, p, &rotations) })
	}
	var acknowledged [backups]int64
	for i := range backups {
		for until := rotations.Load() + each; rotations.Load() < until; {
			time.Sleep(time.Millisecond)
		}
		acknowledged[i] = rotations.Load()
		do(t, "backup", filepath.Join(target, strconv.Itoa(i)), "--data-dir", dir)
	}
	p.kill(t)
	group.Wait()
	keyset, err := secret.ReadKeyset(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range backups {
		var copied int64
		for _, h := range histories {
			copied += h.wantInBackup(t, filepath.Join(target, strconv.Itoa(i)), keyset) - 1
		}
		if copied < acknowledged[i] {
			t.Errorf("backup %d has %d rotations, %d were acknowledged before it", i, copied, acknowledged[i])
		}
	}
}

// wantInBackup fails the test unless a backup has the client with a secret that
// was given out, all events up to it, and none of its secrets in the clear. It
// returns the version of that secret.
func (h *history) wantInBackup(t *testing.T, path string, keyset *secret.Keyset) int64 {
	t.Helper()
	db, err := database.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	row, err := db.OAuthClient.Get(t.Context(), uuid.MustParse(h.id))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := keyset.Open(row.ID, row.SecretDigest, row.SecretSealed)
	// The answer to one more rotation may have been lost with the server.
	known := row.SecretVersion <= int64(len(h.secrets))
	if err != nil || known && plain.Reveal() != h.secrets[row.SecretVersion-1] || !known && row.SecretVersion != int64(len(h.secrets))+1 {
		t.Errorf("%s: the secret of version %d is not the one that was given out, error %v", path, row.SecretVersion, err)
	}
	var want []int64
	for version := range row.SecretVersion {
		want = append(want, version+1)
	}
	if diff := cmp.Diff(want, versions(t, db, row.ID)); diff != "" {
		t.Errorf("%s: the versions in the events (-want +got):\n%s", path, diff)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range h.secrets {
		if bytes.Contains(content, []byte(text)) {
			t.Errorf("%s holds secret %d in the clear", path, i+1)
		}
	}
	return row.SecretVersion
}

// versions are those that the events of a client tell of, in order.
func versions(t *testing.T, db *ent.Client, id uuid.UUID) []int64 {
	t.Helper()
	events, err := db.ClientEvent.Query().Where(clientevent.ClientID(id)).Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, event := range events {
		got = append(got, event.SecretVersion)
	}
	return got
}

func TestHelp_OfBackupCommands(t *testing.T) {
	for _, name := range []string{"backup", "restore", "rollback list", "rollback mark"} {
		var stdout, stderr bytes.Buffer
		code := command.Run(t.Context(), version, append(strings.Fields(name), "--help"), &stdout, &stderr)
		if code != 0 || !strings.Contains(stdout.String(), "\n    clientsd "+name) || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, %s%s", name, code, &stdout, &stderr)
		}
	}
}
