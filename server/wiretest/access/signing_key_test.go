package access_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

// rotateSigningKey is clientsd signing-key rotate. It returns the new key's id.
func rotateSigningKey(t *testing.T, s *servertest.Server) string {
	t.Helper()
	var rotate command.SigningKeyRotate
	rotate.DataDir, rotate.DatabaseURL, rotate.Keyset = s.Data()
	var stdout bytes.Buffer
	if err := rotate.Run(&command.Environment{Context: t.Context(), Stdout: &stdout}); err != nil {
		t.Fatal(err)
	}
	keyID, found := strings.CutPrefix(stdout.String(), "tokens are signed with key ")
	keyID, ends := strings.CutSuffix(keyID, " from now on\n")
	if !found || !ends {
		t.Fatalf("got %q", stdout.String())
	}
	return keyID
}

// mintToken is clientsd token.
func mintToken(t *testing.T, s *servertest.Server) string {
	t.Helper()
	mint := command.Token{Scope: strings.Join(servertest.All, " "), Subject: "operator", Audience: "clientsd", TTL: time.Hour}
	mint.DataDir, mint.DatabaseURL, mint.Keyset = s.Data()
	var stdout bytes.Buffer
	if err := mint.Run(&command.Environment{Context: t.Context(), Stdout: &stdout}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(stdout.String())
}

// signedBy is the id of the key that signed a token.
func signedBy(t *testing.T, token string) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Signatures[0].Header.KeyID
}

func publishedKeys(t *testing.T, s *servertest.Server) []string {
	t.Helper()
	response, body := s.Get(t, "/.well-known/jwks.json")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s, error %v", response.Status, err)
	}
	var ids []string
	for _, key := range set.Keys {
		ids = append(ids, key.KeyID)
	}
	slices.Sort(ids)
	return ids
}

func wantPublishedKeys(t *testing.T, s *servertest.Server, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, publishedKeys(t, s)); diff != "" {
		t.Errorf("the JWKS (-want +got):\n%s", diff)
	}
}

// callWith is a call that any good token allows.
func callWith(t *testing.T, s *servertest.Server, token string) error {
	t.Helper()
	_, err := s.Clients(servertest.ConnectJSON, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	return err
}

func wantAccepted(t *testing.T, s *servertest.Server, tokens ...string) {
	t.Helper()
	for i, token := range tokens {
		if err := callWith(t, s, token); err != nil {
			t.Errorf("token %d: %v", i+1, err)
		}
	}
}

func TestSigningKey_RotatedWhileServing(t *testing.T) {
	s := servertest.Start(t)
	before := mintToken(t, s)
	wantAccepted(t, s, before)
	added := rotateSigningKey(t, s)
	after := mintToken(t, s)
	if got := signedBy(t, after); got != added {
		t.Errorf("key %s signs, want %s", got, added)
	}
	wantAccepted(t, s, after, before)
	old := signedBy(t, before)
	wantPublishedKeys(t, s, old, added)
	s.Stop(t)
	s = servertest.Start(t, servertest.InDir(s.Dir))
	wantAccepted(t, s, after, before)
	wantPublishedKeys(t, s, old, added)
}

// The tokens themselves are still in time here: only the row says otherwise.
func TestSigningKey_DroppedKeyIsRefused(t *testing.T) {
	s := servertest.Start(t)
	before := mintToken(t, s)
	rotateSigningKey(t, s)
	after := mintToken(t, s)
	s.Exec(t, "UPDATE signing_keys SET tokens_until = ? WHERE id = ?", time.Now().Add(-2*time.Minute).UTC(), signedBy(t, before))
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // a token of the same second as the keys may have a key that is not known yet
	wantAccepted(t, s, after)                                                 // the server learns of both keys
	servertest.WantError(t, callWith(t, s, before), connect.CodeUnauthenticated, "the access token is signed with a key its issuer does not publish")
	wantPublishedKeys(t, s, signedBy(t, after))
	third := rotateSigningKey(t, s)
	wantAccepted(t, s, after)
	rows, err := s.Database(t).Read.SigningKey.Query().IDs(t.Context())
	slices.Sort(rows)
	want := []string{signedBy(t, after), third}
	slices.Sort(want)
	if diff := cmp.Diff(want, rows); diff != "" || err != nil {
		t.Errorf("keys in the database, error %v (-want +got):\n%s", err, diff)
	}
}
