package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// takenAt has more digits than a mark keeps, and is not in UTC.
var takenAt = time.Date(2026, 11, 21, 21, 34, 38, 987654321, time.FixedZone("", 3600))

// register inserts a client with a value in every column. Version 0 inserts a
// public client.
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

// mark marks a database as restored from the backup of a time.
func mark(t *testing.T, db *database.DB, at time.Time) {
	t.Helper()
	if err := storage.MarkRestored(t.Context(), db.Transact, at); err != nil {
		t.Fatal(err)
	}
}

func TestCheckRestored(t *testing.T) {
	const effect = ", and secrets that were rotated since would be valid again, of up to 2 clients: " +
		"see clientsd rollback list, then start clientsd serve once with --accept-rollback"
	for name, tt := range map[string]struct {
		marks []time.Time
		want  string
	}{
		"no mark":                       {nil, ""},
		"a mark":                        {[]time.Time{takenAt}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + effect},
		"a mark without a time":         {[]time.Time{{}}, "the database was restored from a backup of unknown age" + effect},
		"a second, later mark":          {[]time.Time{takenAt, takenAt.Add(time.Hour)}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + effect},
		"a second mark without a time":  {[]time.Time{takenAt, {}}, "the database was restored from the backup of 2026-11-21T20:34:38Z" + effect},
		"a mark after one with no time": {[]time.Time{{}, takenAt}, "the database was restored from a backup of unknown age" + effect},
	} {
		t.Run(name, func(t *testing.T) {
			db := storagetest.Open(t).DB
			register(t, db, "one", 3)
			register(t, db, "two", 1)
			register(t, db, "public", 0)
			for _, at := range tt.marks {
				mark(t, db, at)
			}
			err := storage.CheckRestored(t.Context(), db.Read, db.Dialect())
			if tt.want == "" && err == nil {
				return
			}
			var restored *storage.RestoredError
			if !errors.As(err, &restored) || err.Error() != tt.want || restored.Clients != 2 || len(restored.First) != 2 {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}
