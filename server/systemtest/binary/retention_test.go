package binary_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server/command"
	"clientsd/server/database"
	"clientsd/server/servertest"
)

func TestServe_EventRetentionOfMinutes(t *testing.T) {
	var out, errs bytes.Buffer
	code := command.Run(t.Context(), version, []string{"serve", "--data-dir", t.TempDir(), "--event-retention", "30m"}, &out, &errs)
	const want = "clientsd: --event-retention 30m0s: must be at least 1d, or 0 to keep events for ever\n"
	if code != 1 || errs.String() != want {
		t.Errorf("got exit code %d: %s", code, &errs)
	}
}

func TestServe_EventRetention(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	made, err := p.clients().CreateClient(t.Context(), servertest.PublicRequest())
	if err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	db, err := database.OpenSQLite(t.Context(), filepath.Join(dir, "clientsd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Write.ExecContext(t.Context(), "UPDATE client_events SET at = $1", time.Now().UTC().Add(-31*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	p = startProcess(t, dir, "--event-retention=30d")
	for events := 1; events > 0; {
		answer, err := p.Secrets(servertest.ConnectJSON, p.token).ListClientEvents(t.Context(), &clientsdv1.ListClientEventsRequest{ClientId: made.GetClient().GetClientId()})
		if err != nil {
			t.Fatal(err)
		}
		events = len(answer.GetEvents())
	}
}
