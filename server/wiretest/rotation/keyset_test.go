package rotation_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/command"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// keysetCommands are those of clientsd keyset on the data of a server.
type keysetCommands struct {
	dir    string
	rotate command.KeysetRotate
	rekey  command.KeysetRekey
	prune  command.KeysetPrune
}

func keysetOf(s *servertest.Server) *keysetCommands {
	c := &keysetCommands{dir: s.Dir}
	c.rotate.DataDir, c.rotate.DatabaseURL, c.rotate.Keyset = s.Data()
	c.rekey.DataDir, c.rekey.DatabaseURL, c.rekey.Keyset = s.Data()
	c.prune.DataDir, c.prune.DatabaseURL, c.prune.Keyset = s.Data()
	return c
}

func (c *keysetCommands) file() string { return filepath.Join(c.dir, "keyset.json") }

// run runs a command and returns what it says. It does not wait for servers:
// the tests do.
func (c *keysetCommands) run(t *testing.T, run func(*command.Environment) error) (string, error) {
	t.Helper()
	if err := os.Chtimes(c.file(), time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	err := run(&command.Environment{Context: t.Context(), Stdout: &stdout, Stderr: io.Discard})
	return stdout.String(), err
}

// must is run for a command that must succeed.
func (c *keysetCommands) must(t *testing.T, run func(*command.Environment) error) string {
	t.Helper()
	text, err := c.run(t, run)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keyset is the one in the file now.
func (c *keysetCommands) keyset(t *testing.T) *secret.Keyset {
	t.Helper()
	k, err := secret.ReadKeyset(c.file())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealedWith is the key that has sealed a client's secret.
func sealedWith(t *testing.T, s *servertest.Server, clientID string) uint32 {
	t.Helper()
	id, ok := secret.KeyOf(s.Row(t, clientID).SecretSealed)
	if !ok {
		t.Fatal("the secret is not sealed")
	}
	return id
}

// rotateSecret rotates the secret of a client and returns the new one.
func rotateSecret(t *testing.T, s *servertest.Server, clientID string) string {
	t.Helper()
	answer, err := s.ClientsService(t).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetClientSecret()
}

// wantShown fails the test unless the secret of a client opens and verifies.
func wantShown(t *testing.T, s *servertest.Server, clientID, secret string) {
	t.Helper()
	answer, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: clientID, IncludeSecret: true})
	if err != nil || answer.GetClient().GetClientSecret() != secret || !s.Verify(t, clientID, secret).GetValid() {
		t.Errorf("client %s: the secret is not what it was, error %v", clientID, err)
	}
}

// rotateUntilSealedWith rotates until the server seals with a key, and fails the
// test if it does not in good time. It returns the last secret.
func rotateUntilSealedWith(t *testing.T, s *servertest.Server, clientID string, key uint32) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		made := rotateSecret(t, s, clientID)
		if sealedWith(t, s, clientID) == key {
			return made
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server never seals with key %d", key)
		}
	}
}

func TestKeyset_RotatedWhileServing(t *testing.T) {
	s := servertest.Start(t)
	keyset := keysetOf(s)
	kept, changed := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	old := sealedWith(t, s, kept.GetClientId())
	keyset.must(t, keyset.rotate.Run)
	key := keyset.keyset(t).Primary()
	fresh := rotateUntilSealedWith(t, s, changed.GetClientId(), key)
	check := func() {
		t.Helper()
		wantShown(t, s, kept.GetClientId(), kept.GetClientSecret())
		wantShown(t, s, changed.GetClientId(), fresh)
	}
	check()
	if got := keyset.must(t, keyset.prune.Run); got != "no key can be removed\n" {
		t.Errorf("while rows need a key: %s", got)
	}
	got := keyset.must(t, keyset.rekey.Run)
	if want := fmt.Sprintf("2 rows sealed again; everything is sealed with key %d\n", key); got != want { // one of them the signing key
		t.Errorf("got %s, want %s", got, want)
	}
	check()
	if got, want := keyset.must(t, keyset.prune.Run), fmt.Sprintf("removed %d\n", old); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if diff := cmp.Diff([]secret.Key{{ID: key, Primary: true}}, keyset.keyset(t).Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(keyset.file()); err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v, error %v", info.Mode(), err)
	}
	check()
	s.Stop(t)
	s = servertest.Start(t, servertest.InDir(s.Dir))
	check()
}

func TestKeyset_ReencryptedUnderLoad(t *testing.T) {
	const clients, rotations = 8, 12
	s := servertest.Start(t)
	keyset := keysetOf(s)
	made := make([]*apiv1.Client, clients)
	for i := range made {
		made[i] = s.Create(t, servertest.Request())
	}
	service := s.ClientsService(t)
	var running sync.WaitGroup
	var working atomic.Int64
	working.Store(clients)
	for _, client := range made {
		running.Go(func() {
			defer working.Add(-1)
			for range rotations {
				answer, err := service.RegenerateSecret(t.Context(),
					&apiv1.RegenerateSecretRequest{ClientId: client.GetClientId(), IncludeSecret: true})
				if err != nil {
					t.Errorf("rotate: %v", err)
					return
				}
				client.ClientSecret = answer.ClientSecret
			}
		})
	}
	for working.Load() > 0 {
		keyset.must(t, keyset.rotate.Run)
		keyset.must(t, keyset.rekey.Run)
	}
	running.Wait()
	key := keyset.keyset(t).Primary()
	rotateUntilSealedWith(t, s, s.Create(t, servertest.Request()).GetClientId(), key)
	keyset.must(t, keyset.rekey.Run)
	keyset.must(t, keyset.prune.Run)
	if got := len(keyset.keyset(t).Keys()); got != 1 {
		t.Errorf("%d keys stay", got)
	}
	for _, client := range made {
		wantShown(t, s, client.GetClientId(), client.GetClientSecret())
		if got := s.Row(t, client.GetClientId()).SecretVersion; got != 1+rotations {
			t.Errorf("got version %d", got)
		}
	}
}

func TestKeyset_ReencryptNamesDamagedSecret(t *testing.T) {
	s := servertest.Start(t)
	keyset := keysetOf(s)
	damaged, sound := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	s.Exec(t, "UPDATE oauth_clients SET secret_sealed = ? WHERE id = ?", []byte{0}, damaged.GetClientId())
	keyset.must(t, keyset.rotate.Run)
	_, err := keyset.run(t, keyset.rekey.Run)
	want := "1 secrets do not open with any key, rotate these clients: [" + damaged.GetClientId() + "]"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	wantShown(t, s, sound.GetClientId(), sound.GetClientSecret())
	if got, want := sealedWith(t, s, sound.GetClientId()), keyset.keyset(t).Primary(); got != want {
		t.Errorf("the other one is sealed with key %d, want %d", got, want)
	}
	if !s.Verify(t, damaged.GetClientId(), damaged.GetClientSecret()).GetValid() {
		t.Error("the damaged one does not verify")
	}
	wantShown(t, s, damaged.GetClientId(), rotateSecret(t, s, damaged.GetClientId()))
	if got := keyset.must(t, keyset.rekey.Run); !strings.Contains(got, "everything is sealed") {
		t.Errorf("got %s", got)
	}
}

func TestKeyset_DamagedFileWhileServing(t *testing.T) {
	s := servertest.Start(t)
	keyset := keysetOf(s)
	made := s.Create(t, servertest.Request())
	sound, err := os.ReadFile(keyset.file())
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"garbage": func() error { return os.WriteFile(keyset.file(), []byte("{"), 0o600) },
		"empty":   func() error { return os.Truncate(keyset.file(), 0) },
		"gone":    func() error { return os.Remove(keyset.file()) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		lookAtKeyset(t, s)
		made.ClientSecret = proto.String(rotateSecret(t, s, made.GetClientId()))
		wantShown(t, s, made.GetClientId(), made.GetClientSecret())
		if t.Failed() {
			t.Fatalf("with a file that is %s", name)
		}
	}
	if err := os.WriteFile(keyset.file(), sound, 0o600); err != nil {
		t.Fatal(err)
	}
	keyset.must(t, keyset.rotate.Run)
	rotateUntilSealedWith(t, s, made.GetClientId(), keyset.keyset(t).Primary())
}

// lookAtKeyset makes the server look at its keyset file: a page token names a
// key that nobody knows.
func lookAtKeyset(t *testing.T, s *servertest.Server) {
	t.Helper()
	token := base64.RawURLEncoding.EncodeToString([]byte("\x01\x00\x00\x00\x00 of another key"))
	_, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{PageToken: &token})
	servertest.WantViolations(t, err, "page_token")
}
