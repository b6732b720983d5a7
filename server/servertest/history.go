package servertest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	clientsdv1 "clientsd/gen/go/clientsd/v1"
)

// WantMatch fails the test unless the secret verifies as this one.
func (s *Server) WantMatch(t *testing.T, clientID, secret string, want clientsdv1.SecretMatch, version int64) {
	t.Helper()
	got := s.Verify(t, clientID, secret)
	valid := want != clientsdv1.SecretMatch_SECRET_MATCH_NONE
	if got.GetMatched() != want || got.GetValid() != valid || got.GetSecretVersion() != version {
		t.Errorf("got %v, want %v of version %d", got, want, version)
	}
}

const (
	MatchCurrent  = clientsdv1.SecretMatch_SECRET_MATCH_CURRENT
	MatchPrevious = clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS
	MatchNone     = clientsdv1.SecretMatch_SECRET_MATCH_NONE
)

// WantHistory fails the test unless the events of a client tell of each secret
// version once and in order, and its row counts them.
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

// EventLine is what an event says of the secret: "secret_read 2 released".
func EventLine(e *ent.ClientEvent) string {
	line := fmt.Sprintf("%s %d", e.Kind, e.SecretVersion)
	if e.SecretReleased {
		line += " released"
	}
	return line
}

// WantSameRow fails the test if a client is not stored exactly as before.
func WantSameRow(t testing.TB, before, after *ent.OAuthClient) {
	t.Helper()
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ent.OAuthClient{}), cmpopts.IgnoreFields(ent.OAuthClient{}, "Edges")); diff != "" {
		t.Errorf("the row has changed (-before +after):\n%s", diff)
	}
}

// WantEvents compares the events of a client: kind, secret version and whether
// the answer carried the secret.
func (s *Server) WantEvents(t *testing.T, clientID string, want ...string) {
	t.Helper()
	var got []string
	for _, e := range s.Events(t, clientID) {
		got = append(got, EventLine(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// WantOnlySecret fails the test unless current is the client's secret of this
// version, and none of the others is one.
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
