package rotation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// expiredKeys is how many expired keys a test leaves behind: forty batches.
const expiredKeys = 20_000

// expiredKeysSQL makes keys that nobody has used for 25 hours.
func expiredKeysSQL() string {
	if storagetest.IsPostgres() {
		return `INSERT INTO idempotency_keys (key, request, client_id, secret_version, created_at)
			SELECT sha256(n::text::bytea), '', gen_random_uuid(), 1, ? FROM generate_series(1, ?::int) AS n`
	}
	return `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
		INSERT INTO idempotency_keys (key, request, client_id, secret_version, created_at)
		SELECT randomblob(32), x'', 'c', 1, ?1 FROM n`
}

func countKeys(t *testing.T, db *database.DB) int {
	t.Helper()
	n, err := db.Read.IdempotencyKey.Query().Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIdempotency_ManyExpiredKeys(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	wantVersion := func(s *servertest.Server, key string, version int) {
		t.Helper()
		clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage))
		if got := servertest.RotateWithKey(t, clients, key, servertest.RotateRequest(id)).GetSecretVersion(); got != int64(version) {
			t.Errorf("%s: got version %d, want %d", key, got, version)
		}
	}
	wantVersion(s, "used again", 2)
	old := time.Now().Add(-25 * time.Hour).UTC()
	s.Exec(t, "UPDATE idempotency_keys SET created_at = ?", old)
	s.Exec(t, expiredKeysSQL(), old, expiredKeys)
	wantVersion(s, "new", 3)
	wantVersion(s, "used again", 4)
	wantVersion(s, "used again", 4)
	s.Stop(t)

	// From its start on, a server removes them while it answers calls.
	watched := servertest.StartWatched(t, servertest.InDir(s.Dir))
	db, used := watched.Database(t), 2
	for ; countKeys(t, db) > used; used++ {
		wantVersion(watched.Server, fmt.Sprint("key ", used), used+3)
	}
	watched.Want(t, "clientsd_expired_rows_deleted_total", map[string]float64{`{table="idempotency_keys"}`: expiredKeys})
	wantVersion(watched.Server, fmt.Sprint("key ", used-1), used+2)
}

func TestStop_WhileExpiredKeysAreRemoved(t *testing.T) {
	s := servertest.Start(t)
	s.Exec(t, expiredKeysSQL(), time.Now().Add(-25*time.Hour).UTC(), expiredKeys)
	db := s.Database(t)
	for _, enough := range []int{expiredKeys - 1, 0} {
		s.Stop(t)
		s = servertest.Start(t, servertest.InDir(s.Dir))
		for countKeys(t, db) > enough {
			time.Sleep(time.Millisecond)
		}
	}
	s.Stop(t)
	if logs := s.Logs.String(); strings.Contains(logs, "expired rows") {
		t.Errorf("logged %s", logs)
	}
}
