package binary_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

// wantRefused fails the test unless a command refuses to work on a database
// because it was restored.
func wantRefused(t *testing.T, dir string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := command.Run(t.Context(), version, append(args, "--data-dir", dir), &stdout, &stderr)
	want := "clientsd: open " + filepath.Join(dir, "clientsd.db") + ": the database was restored from the backup of "
	if code != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), want) {
		t.Errorf("%v: exit code %d, %s%s", args, code, &stdout, &stderr)
	}
}

// restored is a new folder with the backup and its keyset, put there by restore
// or, as many do, by cp.
func restored(t *testing.T, backup, keyset string, restore bool) string {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, keyset, filepath.Join(dir, "keyset.json"))
	if restore {
		do(t, "restore", backup, "--data-dir", dir)
	} else {
		copyFile(t, backup, filepath.Join(dir, "clientsd.db"))
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServe_RestoredDatabase(t *testing.T) {
	dir := t.TempDir()
	backup := filepath.Join(t.TempDir(), "backup.db")
	p := startProcess(t, dir)
	h := p.register(t)
	h.mustRotate(t, p, "before the backup", time.Hour)
	do(t, "backup", backup, "--data-dir", dir)
	h.mustRotate(t, p, "after the backup", 0)
	h.wantVersions(t, p, 0, 0, 3)
	p.kill(t)
	for name, restore := range map[string]bool{"by restore": true, "by cp": false} {
		t.Run(name, func(t *testing.T) {
			dir := restored(t, backup, filepath.Join(dir, "keyset.json"), restore)
			wantRefused(t, dir, "serve", "--addr", "127.0.0.1:0")
			wantRefused(t, dir, "token", "--scope", "oauth:clients:read")
			accepted := startProcess(t, dir, "--accept-rollback")
			h.wantAcceptance(t, accepted) // first: a refused secret is an event too
			h.wantVersions(t, accepted, 0, 1_000_002, 0)
			h.wantSuperseded(t, accepted, "before the backup", time.Hour)
			accepted.kill(t)
			again := startProcess(t, dir) // the flag is needed once
			h := &history{h.id, slices.Clone(h.secrets)}
			h.mustRotate(t, again, "after the backup", 0)
			h.wantVersions(t, again, 0, 0, 0, 1_000_003)
			again.kill(t)
		})
	}
}

// rotate rotates under an idempotency key.
func (h *history) rotate(t *testing.T, p *process, key string, overlap time.Duration) (*apiv1.Client, error) {
	t.Helper()
	ctx, call := connect.NewClientContext(t.Context())
	call.RequestHeader().Set("Idempotency-Key", key)
	return p.clients().RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{
		ClientId: h.id, IncludeSecret: true, PreviousSecretValidFor: durationpb.New(overlap),
	})
}

func (h *history) mustRotate(t *testing.T, p *process, key string, overlap time.Duration) {
	t.Helper()
	answer, err := h.rotate(t, p, key, overlap)
	if err != nil {
		t.Fatal(err)
	}
	h.secrets = append(h.secrets, answer.GetClientSecret())
}

// wantSuperseded fails the test unless a call from before the backup is answered
// neither with a secret nor by a second rotation.
func (h *history) wantSuperseded(t *testing.T, p *process, key string, overlap time.Duration) {
	t.Helper()
	answer, err := h.rotate(t, p, key, overlap)
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || err.Error() != "failed_precondition: a later rotation has replaced the secret this call made" {
		t.Errorf("got %v, error %v", answer, err)
	}
}

// wantVersions fails the test unless each secret verifies as a version; 0: not at
// all.
func (h *history) wantVersions(t *testing.T, p *process, want ...int64) {
	t.Helper()
	var got []int64
	for _, text := range h.secrets {
		answer, err := p.Secrets(servertest.Protocols()[0], p.token).VerifySecret(t.Context(),
			&clientsdv1.VerifySecretRequest{ClientId: h.id, Secret: text})
		if err != nil || answer.GetValid() != (answer.GetSecretVersion() > 0) {
			t.Fatalf("got %v, error %v", answer, err)
		}
		got = append(got, answer.GetSecretVersion())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the versions that verify (-want +got):\n%s", diff)
	}
}

// wantAcceptance fails the test unless the last event of the client says that a
// backup was restored, and that its overlap has ended.
func (h *history) wantAcceptance(t *testing.T, p *process) {
	t.Helper()
	answer, err := p.Secrets(servertest.Protocols()[0], p.token).ListClientEvents(t.Context(),
		&clientsdv1.ListClientEventsRequest{ClientId: h.id, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	event := answer.GetEvents()[0]
	if event.GetKind() != clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_UPDATED || event.GetSecretVersion() != 1_000_002 ||
		event.GetActor().GetSubject() != "clientsd serve --accept-rollback" || !strings.HasPrefix(event.GetReason(), "restored from the backup of ") {
		t.Errorf("got event %v", event)
	}
}
