package database_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/migrations"
	"clientsd/ent/schema"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// before is the folder of migrations without those from version on.
func before(t *testing.T, dialect, version string) fs.FS {
	t.Helper()
	files, err := fs.Sub(migrations.Files, dialect)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Compare(name, version) < 0 {
			folder[name] = &fstest.MapFile{Data: data}
		}
	}
	if len(folder) == 0 || len(folder) == len(names) {
		t.Fatalf("%d of %d migrations are older than %s", len(folder), len(names), version)
	}
	return folder
}

// The column of an event that names the API was called face.
func TestMigrate_RenamesTheAPIOfEvents(t *testing.T) {
	const version = "20261126113000"
	insertEvent := `INSERT INTO client_events (client_id, organisation, kind, at, secret_version, secret_released,
		actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, face, reason)
		VALUES ('019ab3e5-0000-7000-8000-000000000001', 'home', 'secret_rotated', '2026-11-25 10:00:00+00:00', 2, true,
		'issuer', 'subject', 'caller', 'home', 'call-1', '192.0.2.1', 'vigilo', 'leaked')`
	for name, open := range map[string]func(*testing.T) *database.DB{
		"sqlite":   func(t *testing.T) *database.DB { t.Helper(); return open(t, newPath(t)) },
		"postgres": func(t *testing.T) *database.DB { t.Helper(); return openPostgres(t, storagetest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if _, err := database.MigrateFrom(db, t.Context(), before(t, name, version)); err != nil {
				t.Fatal(err)
			}
			execute(t, db.Write, insertEvent)
			if applied, err := db.Migrate(t.Context()); err != nil || applied == 0 {
				t.Fatalf("got %d migrations, error %v", applied, err)
			}
			event, err := db.Read.ClientEvent.Query().Only(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if event.API != "vigilo" || event.Reason != "leaked" || event.RequestID != "call-1" || event.SecretVersion != 2 {
				t.Errorf("got %v", event)
			}
		})
	}
}

// What an earlier version has written stays as it was. Its secrets verify, and the
// new columns say that nothing is known of them.
func TestMigrate_TracesOfSecretsOnAPopulatedDatabase(t *testing.T) {
	const version = "20261126175900"
	insertClient := `INSERT INTO oauth_clients (id, organisation, revision, created_at, updated_at, name, redirect_uri, website_url, description,
		supports_refresh_token, supports_implicit_grant, supports_device_code_grant, supports_code_grant, uses_managed_buckets,
		application_bindings, allowed_delegators, backchannel_logout_session_required, frontchannel_logout_session_required,
		post_logout_redirect_uris, is_verified, has_secret, secret_digest, secret_sealed, secret_version, secret_created_at,
		previous_secret_digest, previous_secret_expires_at)
		VALUES ('019ab3e5-0000-7000-8000-000000000001', 'home', 7, '2026-11-25 10:00:00+00:00', '2026-11-25 10:00:00+00:00', 'Name', 'https://a/', 'https://b/', 'd',
		true, false, true, false, true, '[]', '[]', true, false, '[]', true, true, 'digest', 'sealed', 3, '2026-11-25 10:00:00+00:00',
		'previous', '2026-11-26 10:00:00+00:00')`
	insertLogo := `INSERT INTO client_logos (client_id, png) VALUES ('019ab3e5-0000-7000-8000-000000000001', 'png')`
	insertEvent := `INSERT INTO client_events (client_id, organisation, kind, at, secret_version, secret_released,
		actor_issuer, actor_subject, actor_client_id, actor_organisation, request_id, address, api, reason)
		VALUES ('019ab3e5-0000-7000-8000-000000000001', 'home', 'secret_rotated', '2026-11-25 10:00:00+00:00', 3, true,
		'issuer', 'subject', 'caller', 'home', 'call-1', '192.0.2.1', 'vigilo', 'leaked')`
	for name, open := range map[string]func(*testing.T) *database.DB{
		"sqlite":   func(t *testing.T) *database.DB { t.Helper(); return open(t, newPath(t)) },
		"postgres": func(t *testing.T) *database.DB { t.Helper(); return openPostgres(t, storagetest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if _, err := database.MigrateFrom(db, t.Context(), before(t, name, version)); err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{insertClient, insertLogo, insertEvent, insertEvent} {
				execute(t, db.Write, statement)
			}
			if applied, err := db.Migrate(t.Context()); err != nil || applied == 0 {
				t.Fatalf("got %d migrations, error %v", applied, err)
			}
			wantPopulated(t, db)
		})
	}
}

// wantPopulated fails the test unless the rows are what the statements above have
// written, with nothing in the new columns.
func wantPopulated(t *testing.T, db *database.DB) {
	t.Helper()
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	ends := at.Add(24 * time.Hour)
	client, err := db.Read.OAuthClient.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &ent.OAuthClient{
		ID: client.ID, Organisation: "home", Revision: 7, CreatedAt: at, UpdatedAt: at,
		Name: "Name", RedirectURI: "https://a/", WebsiteURL: "https://b/", Description: "d",
		SupportsRefreshToken: true, SupportsDeviceCodeGrant: true, UsesManagedBuckets: true, ApplicationBindings: []schema.Binding{}, AllowedDelegators: []string{},
		BackchannelLogoutSessionRequired: true, PostLogoutRedirectUris: []string{}, IsVerified: true, HasSecret: true,
		SecretDigest: []byte("digest"), SecretSealed: []byte("sealed"), SecretVersion: 3, SecretCreatedAt: &at,
		PreviousSecretDigest: []byte("previous"), PreviousSecretExpiresAt: &ends,
	}
	if diff := cmp.Diff(want, client, cmpopts.IgnoreUnexported(ent.OAuthClient{}, ent.OAuthClientEdges{}), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	event := ent.ClientEvent{
		ClientID: &client.ID, Organisation: "home", Kind: "secret_rotated", At: at, SecretVersion: 3, SecretReleased: true, ActorIssuer: "issuer",
		ActorSubject: "subject", ActorClientID: "caller", ActorOrganisation: "home", RequestID: "call-1", Address: "192.0.2.1", API: "vigilo", Reason: "leaked",
	}
	second := event
	event.ID, second.ID = 1, 2
	events, err := db.Read.ClientEvent.Query().Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ignored := cmpopts.IgnoreUnexported(ent.ClientEvent{})
	if diff := cmp.Diff([]*ent.ClientEvent{&event, &second}, events, ignored, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([2]int{1, 1}, counts(t, db.Read)); diff != "" {
		t.Errorf("clients and logos (-want +got):\n%s", diff)
	}
}
