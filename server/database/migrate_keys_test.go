package database_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/ent/keysetkey"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// sealedBy returns data as a key of the keyset seals it.
func sealedBy(key uint32) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{1}, key), "ciphertext"...)
}

// A database that is older than the table of the keys in use has data that keys
// have sealed.
func TestMigrate_FindsTheKeysInUse(t *testing.T) {
	const version = "20261126173314"
	const insertClient = `INSERT INTO oauth_clients (id, organisation, created_at, updated_at, name, redirect_uri, website_url, description,
		supports_refresh_token, supports_implicit_grant, supports_device_code_grant, supports_code_grant, uses_managed_buckets,
		application_bindings, allowed_delegators, backchannel_logout_session_required, frontchannel_logout_session_required,
		post_logout_redirect_uris, is_verified, has_secret, revision, secret_version, secret_sealed)
		VALUES ($1, 'home', '2026-11-25 10:00:00+00:00', '2026-11-25 10:00:00+00:00', 'n', 'r', 'w', 'd',
		true, true, true, true, true, '[]', '[]', true, true, '[]', true, true, 1, 1, $2)`
	const insertSigningKey = `INSERT INTO signing_keys (id, issuer, private_sealed, public, created_at)
		VALUES ($1, 'issuer', $2, $2, '2026-11-25 10:00:00+00:00')`
	const insertCheck = `INSERT INTO keyset_checks (id, sealed) VALUES ($1, $2)`
	for name, open := range map[string]func(*testing.T) *database.DB{
		"sqlite":   func(t *testing.T) *database.DB { t.Helper(); return open(t, newPath(t)) },
		"postgres": func(t *testing.T) *database.DB { t.Helper(); return openPostgres(t, storagetest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if _, err := database.MigrateFrom(db, t.Context(), before(t, name, version)); err != nil {
				t.Fatal(err)
			}
			for _, row := range []struct {
				statement, id string
				sealed        []byte
			}{
				{insertClient, "019ab3e5-0000-7000-8000-000000000001", sealedBy(1<<32 - 1)},
				{insertClient, "019ab3e5-0000-7000-8000-000000000002", sealedBy(1<<32 - 1)},
				{insertClient, "019ab3e5-0000-7000-8000-000000000003", sealedBy(7)},
				{insertClient, "019ab3e5-0000-7000-8000-000000000004", nil},
				{insertClient, "019ab3e5-0000-7000-8000-000000000005", []byte{}},
				{insertClient, "019ab3e5-0000-7000-8000-000000000006", sealedBy(8)[:4]},
				{insertClient, "019ab3e5-0000-7000-8000-000000000007", append([]byte{2}, sealedBy(9)[1:]...)},
				{insertSigningKey, "kid", sealedBy(0x80000000)},
				{insertCheck, "1", sealedBy(0x0a0b0c0d)},
			} {
				if _, err := db.Write.ExecContext(t.Context(), row.statement, row.id, row.sealed); err != nil {
					t.Fatal(err)
				}
			}
			if applied, err := db.Migrate(t.Context()); err != nil || applied == 0 {
				t.Fatalf("got %d migrations, error %v", applied, err)
			}
			got, err := db.Read.KeysetKey.Query().Order(keysetkey.ByID()).IDs(t.Context())
			if diff := cmp.Diff([]int64{7, 0x0a0b0c0d, 0x80000000, 1<<32 - 1}, got); diff != "" || err != nil {
				t.Errorf("error %v, keys in use (-want +got):\n%s", err, diff)
			}
		})
	}
}
