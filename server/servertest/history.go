package servertest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	clientsdv1 "clientsd/gen/go/clientsd/v1"
)

// WantMatch fails the test unless VerifySecret answers this match and version.
func (s *Server) WantMatch(t *testing.T, clientID, secret string, want clientsdv1.SecretMatch, version int64) {
	t.Helper()
	got := s.Verify(t, clientID, secret)
	valid := want != clientsdv1.SecretMatch_SECRET_MATCH_NONE
	if got.GetMatched() != want || got.GetValid() != valid || got.GetSecretVersion() != version {
		t.Errorf("got %v, want %v of version %d", got, want, version)
	}
}

// What VerifySecret can answer.
const (
	MatchCurrent  = clientsdv1.SecretMatch_SECRET_MATCH_CURRENT
	MatchPrevious = clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS
	MatchNone     = clientsdv1.SecretMatch_SECRET_MATCH_NONE
)

// WantHistory fails the test unless a client has this many secret versions: one
// event each, in order, and the last in its row.
func (s *Server) WantHistory(t *testing.T, clientID string, versions int64) {
	t.Helper()
	var got, want []int64
	for _, event := range s.Events(t, clientID) {
		if event.Kind == clientevent.KindCreated || event.Kind == clientevent.KindSecretRotated {
			got = append(got, event.SecretVersion)
		}
	}
	for version := range versions {
		want = append(want, version+1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secret versions of the events (-want +got):\n%s", diff)
	}
	if row := s.Row(t, clientID); row.SecretVersion != versions {
		t.Errorf("the row has secret version %d, want %d", row.SecretVersion, versions)
	}
}

// EventLine returns the kind and secret version of an event and whether the answer
// carried the secret, such as "secret_read 2 released".
func EventLine(e *ent.ClientEvent) string {
	line := fmt.Sprintf("%s %d", e.Kind, e.SecretVersion)
	if e.SecretReleased {
		line += " released"
	}
	return line
}

// WantSameRow fails the test if a row has changed.
func WantSameRow(t testing.TB, before, after *ent.OAuthClient) {
	t.Helper()
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ent.OAuthClient{}), cmpopts.IgnoreFields(ent.OAuthClient{}, "Edges")); diff != "" {
		t.Errorf("the row has changed (-before +after):\n%s", diff)
	}
}

// WantEvents fails the test unless these are the events of a client, each as
// EventLine describes it.
func (s *Server) WantEvents(t *testing.T, clientID string, want ...string) {
	t.Helper()
	events := s.Events(t, clientID)
	got := make([]string, 0, len(events))
	for _, e := range events {
		got = append(got, EventLine(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Lookup returns the lookup in the event that issued a secret. It restates what is
// stored, and must not follow the code.
func Lookup(t testing.TB, secret string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte("clientsd/secret-lookup/v1\x00" + secret))
	return sum[:16]
}

// WantRefusals fails the test unless these are the events about refused secrets of a
// client, each as EventLine describes it. It waits for them.
func (s *Server) WantRefusals(t *testing.T, clientID string, want ...string) {
	t.Helper()
	var got []string
	db := s.Database(t)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got = nil
		for _, e := range eventsOf(t, db, clientID, true) {
			got = append(got, EventLine(e))
		}
		if slices.Equal(got, want) || time.Now().After(until) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events about refused secrets (-want +got):\n%s", diff)
	}
}

// WantOnlySecret fails the test unless current verifies as the client's current
// secret with this version, and the others do not verify.
func (s *Server) WantOnlySecret(t *testing.T, clientID string, version int64, current string, others ...string) {
	t.Helper()
	want := &clientsdv1.VerifySecretResponse{Valid: true, Matched: clientsdv1.SecretMatch_SECRET_MATCH_CURRENT, SecretVersion: version}
	if diff := cmp.Diff(want, s.Verify(t, clientID, current), protocmp.Transform()); diff != "" {
		t.Errorf("the current secret (-want +got):\n%s", diff)
	}
	noMatch := &clientsdv1.VerifySecretResponse{Matched: clientsdv1.SecretMatch_SECRET_MATCH_NONE}
	for _, other := range others {
		if diff := cmp.Diff(noMatch, s.Verify(t, clientID, other), protocmp.Transform()); diff != "" {
			t.Errorf("another secret (-want +got):\n%s", diff)
		}
	}
}
