package apis_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/servertest"
)

// wantTold fails the test unless an answer is this refusal.
func wantTold(t testing.TB, got servertest.Reply, want servertest.WireRefusal) {
	t.Helper()
	if diff := cmp.Diff(want, servertest.WireRefusal{Status: got.Status, Challenge: got.Header.Get("Www-Authenticate"), Body: servertest.Object(t, []byte(got.Body))}); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}
