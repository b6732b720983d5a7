package backup_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// register inserts a client. Version 0 inserts a public client.
func register(t *testing.T, s *storage.Storage, version int64) *ent.OAuthClient {
	t.Helper()
	id, at := uuid.New(), time.Now().UTC()
	create := s.DB.Write.OAuthClient.Create().
		SetID(id).SetOrganisation("default").SetCreatedAt(at).SetUpdatedAt(at).
		SetName("n").SetRedirectURI("https://example.com/").SetWebsiteURL("https://example.com").SetDescription("d").
		SetSupportsRefreshToken(true).SetSupportsImplicitGrant(true).SetSupportsDeviceCodeGrant(true).SetSupportsCodeGrant(true).
		SetUsesManagedBuckets(true).SetApplicationBindings(nil).SetAllowedDelegators(nil).
		SetBackchannelLogoutSessionRequired(true).SetFrontchannelLogoutSessionRequired(true).
		SetPostLogoutRedirectUris(nil).SetIsVerified(true).SetHasSecret(version > 0)
	if version > 0 {
		plain := secret.Generate(secret.DefaultPrefix)
		digest := secret.DigestOf(id, plain)
		sealed, err := sealer(t, s).Seal(id, digest, plain)
		if err != nil {
			t.Fatal(err)
		}
		create.SetSecretDigest(digest[:]).SetSecretSealed(sealed).SetSecretVersion(version).SetSecretCreatedAt(at)
	}
	row, err := create.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// sealer returns the primary key of the keyset.
func sealer(t *testing.T, s *storage.Storage) secret.Sealer {
	t.Helper()
	sealer, err := s.Keyset.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func execute(t *testing.T, s *storage.Storage, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.DB.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// damage makes rows of the database break a rule of their table. Only a check that
// reads all rows detects it.
func damage(t *testing.T, s *storage.Storage) {
	t.Helper()
	execute(t, s,
		"PRAGMA writable_schema = on",
		"UPDATE sqlite_schema SET sql = replace(sql, '`secret_created_at` datetime NULL', '`secret_created_at` datetime NOT NULL') WHERE name = 'oauth_clients'",
		"PRAGMA writable_schema = off")
}

// loseRow deletes a client from its table but not from an index.
func loseRow(t *testing.T, s *storage.Storage) {
	t.Helper()
	execute(t, s,
		"PRAGMA writable_schema = on",
		"CREATE TEMP TABLE saved AS SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = 'oauthclient_organisation_created_at_id'",
		"DELETE FROM sqlite_schema WHERE name = 'oauthclient_organisation_created_at_id'",
		"PRAGMA writable_schema = reset",
		"DELETE FROM oauth_clients WHERE NOT has_secret",
		"PRAGMA writable_schema = on",
		"INSERT INTO sqlite_schema SELECT type, name, tbl_name, rootpage, sql FROM saved",
		"PRAGMA writable_schema = reset")
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
