package rotation_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// startWithCopy starts a second server on the data of s, with a copy of its keyset.
func startWithCopy(t *testing.T, s *servertest.Server) (second *servertest.Server, copied string) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "keyset.json")
	copyKeyset(t, keysetOf(s).file(), copied)
	return servertest.Start(t, servertest.InDir(s.Dir), func(c *server.Config) { c.Storage.KeysetFile = copied }), copied
}

func copyKeyset(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantReady fails the test unless /readyz and gRPC's health check answer so.
func wantReady(t *testing.T, s *servertest.Server, ready bool, text string) {
	t.Helper()
	response, body := s.Get(t, "/readyz")
	health, err := s.GRPCHealth(t, "")
	if (response.StatusCode == http.StatusOK) != ready || (health == 1) != ready || err != nil || string(body) != text {
		t.Errorf("got %s, %s, gRPC health %d, error %v\nwant %s", response.Status, body, health, err, text)
	}
}

// waitForLog waits until a server has logged a text.
func waitForLog(t *testing.T, s *servertest.Server, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.Logs.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log never says %s:\n%s", text, s.Logs)
		}
	}
}

const notLoaded = "this server lacks a key of the keyset that the call needs: try again; nothing is damaged"

// A server with a copy of the keyset does not have the key that another one has added.
// Nothing is damaged: another server can answer, and so can this one once it has the
// key.
func TestKeyset_ServerLacksTheNewKey(t *testing.T) {
	s := servertest.Start(t)
	old := s.Create(t, servertest.Request())
	fresh := s.Create(t, servertest.Request())
	lacking, copied := startWithCopy(t, s)
	wantShown(t, lacking, fresh.GetClientId(), fresh.GetClientSecret())

	keyset := keysetOf(s)
	keyset.must(t, keyset.rotate.Run)
	wantReady(t, lacking, true, "ok\n") // nothing is sealed with the new key yet
	key := keyset.keyset(t).Primary()
	current := rotateUntilSealedWith(t, s, fresh.GetClientId(), key)

	servertest.EachProtocol(t, func(t *testing.T, p servertest.Protocol) {
		_, err := lacking.Clients(p, lacking.Token(t, servertest.All...)).
			GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: fresh.GetClientId(), IncludeSecret: true})
		servertest.WantError(t, err, connect.CodeUnavailable, notLoaded)
		servertest.WantReason(t, err, "KEY_NOT_LOADED")
	})
	if !lacking.Verify(t, fresh.GetClientId(), current).GetValid() {
		t.Error("the secret does not verify")
	}
	wantShown(t, lacking, old.GetClientId(), old.GetClientSecret())
	const unready = "the keyset lacks a key that is in use, and what it has sealed cannot be shown: see the log\n"
	wantReady(t, lacking, false, unready)
	waitForLog(t, lacking, fmt.Sprintf("sealed with key %d, which the keyset does not have", key))
	waitForLog(t, lacking, fmt.Sprintf(`"the keyset needs an operator","error":"the keyset lacks keys that are in use, and what they have sealed cannot be shown: `+
		`put the newest copy of the keyset in its place; missing: %d"`, key))
	wantReady(t, s, true, "ok\n")

	copyKeyset(t, keyset.file(), copied)
	wantShown(t, lacking, fresh.GetClientId(), current)
	wantReady(t, lacking, true, "ok\n")
	waitForLog(t, lacking, fmt.Sprintf(`"the keyset was read again","file":%q,"keys":2,"primary":%d`, copied, key))
}

// What else another server has sealed: the result of a repeated call, and page tokens.
func TestKeyset_ServerLacksTheKeyOfARepeatedCall(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	s.Create(t, servertest.Request())
	lacking, _ := startWithCopy(t, s)
	keyset := keysetOf(s)
	keyset.must(t, keyset.rotate.Run)
	rotateUntilSealedWith(t, s, client.GetClientId(), keyset.keyset(t).Primary())

	token := s.Token(t, servertest.All...)
	repeat := func(on *servertest.Server) (*apiv1.Client, error) {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("Idempotency-Key", "deploy-7")
		return on.Clients(servertest.Protocols()[0], token).
			RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{ClientId: client.GetClientId(), IncludeSecret: true})
	}
	first, err := repeat(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = repeat(lacking)
	servertest.WantError(t, err, connect.CodeUnavailable, notLoaded)
	servertest.WantReason(t, err, "KEY_NOT_LOADED")
	if again, err := repeat(s); err != nil || again.GetClientSecret() != first.GetClientSecret() {
		t.Errorf("where the key is: got %v, error %v", again, err)
	}

	size := int32(1)
	page, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{PageSize: &size})
	if err != nil {
		t.Fatal(err)
	}
	_, err = lacking.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{PageSize: &size, PageToken: page.NextPageToken})
	servertest.WantReason(t, err, "KEY_NOT_LOADED")
	events, err := s.Secrets(servertest.Protocols()[0], token).ListClientEvents(t.Context(),
		&clientsdv1.ListClientEventsRequest{ClientId: client.GetClientId(), PageSize: size})
	if err != nil {
		t.Fatal(err)
	}
	_, err = lacking.Secrets(servertest.Protocols()[0], token).ListClientEvents(t.Context(),
		&clientsdv1.ListClientEventsRequest{ClientId: client.GetClientId(), PageSize: size, PageToken: events.GetNextPageToken()})
	servertest.WantReason(t, err, "KEY_NOT_LOADED")
}

// Root may have replaced the file that the server follows: it can read it no more.
func TestKeyset_ServerCannotReadTheFile(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	keyset := keysetOf(s)
	keyset.must(t, keyset.rotate.Run)
	key := keyset.keyset(t).Primary()
	current := rotateUntilSealedWith(t, s, client.GetClientId(), key)
	if err := os.Chmod(keyset.file(), 0o644); err != nil { // the tests may run as root, who reads everything
		t.Fatal(err)
	}
	if err := os.Chtimes(keyset.file(), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantReady(t, s, true, "ok\nbut the keyset file is not used, and the next start may fail: see the log\n")
	waitForLog(t, s, "the keyset file is not used, and what was loaded before stays: read keyset: "+keyset.file()+" has mode 0644")
	wantShown(t, s, client.GetClientId(), current)
}

// The keyset of before the last rotation is put back while the server runs.
func TestKeyset_OlderCopyWhileServing(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	keyset := keysetOf(s)
	older := filepath.Join(t.TempDir(), "older.json")
	copyKeyset(t, keyset.file(), older)
	keyset.must(t, keyset.rotate.Run)
	key := keyset.keyset(t).Primary()
	rotateUntilSealedWith(t, s, client.GetClientId(), key)
	newer := filepath.Join(t.TempDir(), "newer.json")
	copyKeyset(t, keyset.file(), newer)

	copyKeyset(t, older, keyset.file())
	wantReady(t, s, true, "ok\nbut the keyset file is not used, and the next start may fail: see the log\n")
	waitForLog(t, s, keyset.file()+" is an older copy: it lacks keys that are in use")
	current := rotateSecret(t, s, client.GetClientId())
	if got := sealedWith(t, s, client.GetClientId()); got != key {
		t.Errorf("the server seals with key %d, want %d", got, key)
	}
	wantShown(t, s, client.GetClientId(), current)

	copyKeyset(t, newer, keyset.file())
	wantReady(t, s, true, "ok\n")
	wantShown(t, s, client.GetClientId(), current)
}

func TestKeyset_RecordsTheKeysInUse(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	keyset := keysetOf(s)
	first := keyset.keyset(t).Primary()
	db := s.Database(t)
	wantInUse := func(want ...uint32) {
		t.Helper()
		got, err := db.Read.KeysetKey.Query().IDs(t.Context())
		wanted := make([]int64, len(want))
		for i, id := range want {
			wanted[i] = int64(id)
		}
		slices.Sort(wanted)
		slices.Sort(got)
		if diff := cmp.Diff(wanted, got); diff != "" || err != nil {
			t.Errorf("error %v, keys in use (-want +got):\n%s", err, diff)
		}
	}
	wantInUse(first)
	keyset.must(t, keyset.rotate.Run)
	wantInUse(first)
	second := keyset.keyset(t).Primary()
	rotateUntilSealedWith(t, s, client.GetClientId(), second)
	wantInUse(first, second)
	keyset.must(t, keyset.rekey.Run)
	wantInUse(first, second)
	keyset.must(t, keyset.prune.Run)
	wantInUse(second)
	if got := keyset.keyset(t).Keys(); len(got) != 1 || got[0] != (secret.Key{ID: second, Primary: true}) {
		t.Errorf("got keys %v", got)
	}
	wantReady(t, s, true, "ok\n")
}
