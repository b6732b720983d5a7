package rollback_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/database"
	"clientsd/server/rollback"
	"clientsd/server/servertest/storagetest"
)

// takenAt has more digits than a mark keeps, acceptedAt more than a row, and both
// are somewhere else.
var (
	takenAt    = time.Date(2026, 11, 21, 21, 34, 38, 987654321, time.FixedZone("", 3600))
	acceptedAt = takenAt.Add(24 * time.Hour)
)

// register makes a client; version 0 makes a public one.
func register(t *testing.T, db *database.DB, name string, version int64) *ent.OAuthClient {
	t.Helper()
	at := takenAt.UTC().Truncate(time.Microsecond)
	create := db.Write.OAuthClient.Create().
		SetID(uuid.New()).SetOrganisation("acme").SetCreatedAt(at).SetUpdatedAt(at).SetRevision(7).
		SetName(name).SetRedirectURI("https://example.com/").SetWebsiteURL("https://example.com").SetDescription("d").
		SetSupportsRefreshToken(true).SetSupportsImplicitGrant(true).SetSupportsDeviceCodeGrant(true).SetSupportsCodeGrant(true).
		SetUsesManagedBuckets(true).SetApplicationBindings(nil).SetAllowedDelegators(nil).
		SetBackchannelLogoutSessionRequired(true).SetFrontchannelLogoutSessionRequired(true).
		SetPostLogoutRedirectUris(nil).SetIsVerified(true).SetHasSecret(version > 0)
	if version > 0 {
		create.SetSecretDigest([]byte("digest")).SetSecretSealed([]byte("sealed")).SetSecretVersion(version).SetSecretCreatedAt(at).
			SetPreviousSecretDigest([]byte("previous")).SetPreviousSecretExpiresAt(at.Add(time.Hour)).SetPreviousSecretLastUsedAt(at)
	}
	row, err := create.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestADatabaseKnowsItsBackup(t *testing.T) {
	const behind = ", and secrets that were rotated since would be valid again, of up to 2 clients: " +
		"see clientsd rollback list, then start clientsd serve once with --accept-rollback"
	for name, tt := range map[string]struct {
		marks []time.Time
		want  string
	}{
		"never marked":                     {nil, ""},
		"marked":                           {[]time.Time{takenAt}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + behind},
		"marked without a time":            {[]time.Time{{}}, "the database was restored from a backup of unknown age" + behind},
		"marked again, by a later backup":  {[]time.Time{takenAt, takenAt.Add(time.Hour)}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + behind},
		"marked again, by nobody knows":    {[]time.Time{takenAt, {}}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + behind},
		"marked by nobody knows, and then": {[]time.Time{{}, takenAt}, "the database was restored from a backup of unknown age" + behind},
	} {
		t.Run(name, func(t *testing.T) {
			db := storagetest.Open(t).DB
			register(t, db, "one", 3)
			register(t, db, "two", 1)
			register(t, db, "public", 0)
			for _, at := range tt.marks {
				if err := rollback.Set(t.Context(), db.Transact, at); err != nil {
					t.Fatal(err)
				}
			}
			err := rollback.Check(t.Context(), db.Read, db.Dialect())
			if tt.want == "" && err == nil {
				return
			}
			var marked *rollback.Error
			if !errors.As(err, &marked) || err.Error() != tt.want || marked.Clients != 2 {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAcceptingARollbackLeavesNoVersionTwice(t *testing.T) {
	db := storagetest.Open(t).DB
	client, public := register(t, db, "confidential", 3), register(t, db, "public", 0)
	if err := rollback.Set(t.Context(), db.Transact, takenAt); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if got, err := rollback.Accept(t.Context(), db.Transact, db.Dialect(), acceptedAt); err != nil || got != want {
			t.Errorf("got %d clients, error %v, want %d", got, err, want)
		}
		if err := rollback.Check(t.Context(), db.Read, db.Dialect()); err != nil {
			t.Errorf("after it was accepted: %v", err)
		}
	}
	got := row(t, db, client.ID)
	want := client
	want.SecretVersion, want.Revision, want.UpdatedAt = 1_000_003, 8, acceptedAt.UTC().Truncate(time.Microsecond)
	want.PreviousSecretDigest, want.PreviousSecretExpiresAt, want.PreviousSecretLastUsedAt = nil, nil, nil
	if diff := cmp.Diff(want, got, ignoreEnt); diff != "" {
		t.Errorf("the client (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(public, row(t, db, public.ID), ignoreEnt); diff != "" {
		t.Errorf("the public client (-want +got):\n%s", diff)
	}
	wantEvent(t, db, got)
}

// ignoreEnt leaves out what ent keeps in a row beside its columns.
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

// wantEvent fails the test unless there is one event, which is about the client.
func wantEvent(t *testing.T, db *database.DB, client *ent.OAuthClient) {
	t.Helper()
	events, err := db.Read.ClientEvent.Query().All(t.Context())
	if err != nil || len(events) != 1 {
		t.Fatalf("got events %v, error %v", events, err)
	}
	want := &ent.ClientEvent{
		ID: events[0].ID, ClientID: client.ID, Organisation: "acme", Kind: clientevent.KindUpdated, At: client.UpdatedAt,
		SecretVersion: 1_000_003, ActorSubject: "clientsd serve --accept-rollback", API: "clientsd",
		Reason: "restored from the backup of 2026-11-21T20:34:38Z",
	}
	if diff := cmp.Diff(want, events[0], ignoreEnt); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
}

// Replicas start at once.
func TestOneOfManyAccepts(t *testing.T) {
	db := storagetest.Open(t).DB
	client := register(t, db, "confidential", 3)
	if err := rollback.Set(t.Context(), db.Transact, takenAt); err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			clients, err := rollback.Accept(t.Context(), db.Transact, db.Dialect(), acceptedAt)
			if err != nil {
				t.Error(err)
			}
			accepted.Add(int64(clients))
		})
	}
	group.Wait()
	if got := row(t, db, client.ID).SecretVersion; got != 1_000_003 || accepted.Load() != 1 {
		t.Errorf("got version %d, and %d clients were accepted", got, accepted.Load())
	}
}

// If one step of it fails nothing has changed, and the mark is still there.
func TestAcceptingIsAllOrNothing(t *testing.T) {
	db := storagetest.Open(t).DB
	client := register(t, db, "confidential", 3)
	if err := rollback.Set(t.Context(), db.Transact, takenAt); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "ALTER TABLE client_events RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	_, err := rollback.Accept(t.Context(), db.Transact, db.Dialect(), acceptedAt)
	if err == nil || !strings.HasPrefix(err.Error(), "accept rollback: ") || !strings.Contains(err.Error(), "client_events") {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(client, row(t, db, client.ID), ignoreEnt); diff != "" {
		t.Errorf("the client (-before +after):\n%s", diff)
	}
	var marked *rollback.Error
	if err := rollback.Check(t.Context(), db.Read, db.Dialect()); !errors.As(err, &marked) {
		t.Errorf("the mark: got error %v", err)
	}
}

// More clients than are read at once.
func TestListTellsOfEveryClientThatHasASecret(t *testing.T) {
	const clients = 1001
	db := storagetest.Open(t).DB
	for i := range clients {
		register(t, db, strings.Repeat("n", i%3+1), int64(i+1))
	}
	register(t, db, "public", 0)
	versions := map[int64]bool{}
	var last string
	err := rollback.List(t.Context(), db.Read, func(row *ent.OAuthClient) error {
		if id := row.ID.String(); id <= last || row.Name == "" || row.Organisation != "acme" || row.SecretCreatedAt == nil {
			t.Errorf("after %s: got %v", last, row)
		}
		last, versions[row.SecretVersion] = row.ID.String(), true
		return nil
	})
	if err != nil || len(versions) != clients || versions[0] {
		t.Errorf("got %d clients, error %v", len(versions), err)
	}
	enough := errors.New("enough")
	if err := rollback.List(t.Context(), db.Read, func(*ent.OAuthClient) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got error %v", err)
	}
}
