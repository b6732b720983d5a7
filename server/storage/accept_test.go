package storage_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// acceptable opens a new database and returns how to open it again and accept it.
func acceptable(t *testing.T) (*database.DB, storage.Config) {
	t.Helper()
	config := storagetest.Config(t, storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true})
	db := open(t, config).DB
	config.RestorePolicy = storage.AcceptRestored
	return db, config
}

func TestOpen_AcceptRestored(t *testing.T) {
	db, config := acceptable(t)
	client, public := register(t, db, "confidential", 3), register(t, db, "public", 0)
	mark(t, db, takenAt)
	before := time.Now()
	for range 2 { // the second one finds nothing to accept
		open(t, config)
		if err := storage.CheckRestored(t.Context(), db.Read, db.Dialect()); err != nil {
			t.Errorf("after it was accepted: %v", err)
		}
	}
	got := row(t, db, client.ID)
	if got.UpdatedAt.Before(before.Add(-time.Minute)) || got.UpdatedAt.After(time.Now().Add(time.Minute)) ||
		!got.UpdatedAt.Equal(got.UpdatedAt.Truncate(time.Microsecond)) {
		t.Errorf("updated at %v", got.UpdatedAt)
	}
	want := client
	want.SecretVersion, want.Revision, want.UpdatedAt = 1_000_003, 8, got.UpdatedAt
	want.PreviousSecretDigest, want.PreviousSecretExpiresAt, want.PreviousSecretLastUsedAt = nil, nil, nil
	version, at := int64(2), takenAt.UTC().Truncate(time.Microsecond).Add(time.Hour) // when its overlap has ended
	want.EndedDigest, want.EndedVersion, want.EndedAt = []byte("previous"), &version, &at
	if diff := cmp.Diff(want, got, ignoreEnt); diff != "" {
		t.Errorf("the client (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(public, row(t, db, public.ID), ignoreEnt); diff != "" {
		t.Errorf("the public client (-want +got):\n%s", diff)
	}
	wantEvent(t, db, got)
}

// A secret ends when its overlap does, or else when the database is accepted. The
// one that ended last is kept if there is no overlap.
func TestOpen_AcceptRestoredEndsOverlaps(t *testing.T) {
	db, config := acceptable(t)
	overlapping, single := register(t, db, "with an overlap", 3), register(t, db, "without", 3)
	if err := overlapping.Update().SetPreviousSecretExpiresAt(time.Now().Add(time.Hour)).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := single.Update().ClearPreviousSecretDigest().ClearPreviousSecretExpiresAt().
		SetEndedDigest([]byte("ended")).SetEndedVersion(2).SetEndedAt(takenAt.Truncate(time.Microsecond)).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mark(t, db, takenAt)
	open(t, config)
	for _, tt := range []struct {
		client *ent.OAuthClient
		digest string
		at     func(*ent.OAuthClient) time.Time
	}{
		{overlapping, "previous", func(row *ent.OAuthClient) time.Time { return row.UpdatedAt }},
		{single, "ended", func(*ent.OAuthClient) time.Time { return takenAt.Truncate(time.Microsecond) }},
	} {
		got := row(t, db, tt.client.ID)
		if got.PreviousSecretDigest != nil || got.PreviousSecretExpiresAt != nil || string(got.EndedDigest) != tt.digest ||
			*got.EndedVersion != 2 || !got.EndedAt.Equal(tt.at(got)) || got.SecretVersion != 1_000_003 {
			t.Errorf("%s: got %v", got.Name, got)
		}
	}
}

// ignoreEnt leaves out the fields of a row that are no columns.
var ignoreEnt = cmp.FilterPath(func(path cmp.Path) bool {
	name := path.Last().String()
	return name == ".config" || name == ".selectValues" || name == ".Edges"
}, cmp.Ignore())

func row(t *testing.T, db *database.DB, id uuid.UUID) *ent.OAuthClient {
	t.Helper()
	row, err := db.Read.OAuthClient.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// wantEvent fails the test unless the client has the only event.
func wantEvent(t *testing.T, db *database.DB, client *ent.OAuthClient) {
	t.Helper()
	events, err := db.Read.ClientEvent.Query().All(t.Context())
	if err != nil || len(events) != 1 {
		t.Fatalf("got events %v, error %v", events, err)
	}
	want := &ent.ClientEvent{
		ID: events[0].ID, ClientID: &client.ID, Organisation: "acme", Kind: clientevent.KindUpdated, At: client.UpdatedAt,
		SecretVersion: 1_000_003, ActorSubject: "clientsd serve --accept-rollback", API: "clientsd",
		Reason: "restored from the backup of 2026-11-21T20:34:38Z",
	}
	if diff := cmp.Diff(want, events[0], ignoreEnt); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
}

// Replicas may start concurrently.
func TestOpen_OneOfManyAcceptsRestored(t *testing.T) {
	const replicas = 8
	db, config := acceptable(t)
	client := register(t, db, "confidential", 3)
	mark(t, db, takenAt)
	opened, errs := make([]*storage.Storage, replicas), make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		group.Go(func() { opened[i], errs[i] = storage.Open(t.Context(), config) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	saw := 0
	for _, s := range opened {
		if s.Restored != nil {
			saw++
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	got := row(t, db, client.ID)
	if got.SecretVersion != 1_000_003 || saw == 0 {
		t.Errorf("got version %d, %d replicas saw the mark", got.SecretVersion, saw)
	}
	wantEvent(t, db, got)
}

// If one step fails nothing has changed, and the mark is still there.
func TestOpen_AcceptRestoredIsAllOrNothing(t *testing.T) {
	db, config := acceptable(t)
	client := register(t, db, "confidential", 3)
	mark(t, db, takenAt)
	if _, err := db.Write.ExecContext(t.Context(), "ALTER TABLE client_events RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	_, err := storage.Open(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "accept rollback: ") || !strings.Contains(err.Error(), "client_events") {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(client, row(t, db, client.ID), ignoreEnt); diff != "" {
		t.Errorf("the client (-before +after):\n%s", diff)
	}
	var restored *storage.RestoredError
	if err := storage.CheckRestored(t.Context(), db.Read, db.Dialect()); !errors.As(err, &restored) {
		t.Errorf("the mark: got error %v", err)
	}
}
