package database_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

// migrated is a new database with all tables.
func migrated(t *testing.T, path string) *database.DB {
	t.Helper()
	db := open(t, path)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t *testing.T, path string) *database.DB {
	t.Helper()
	db, err := database.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a test that closes it looks at the error
	return db
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

// insert makes a client with a value in every column that must have one.
func insert(ctx context.Context, client *ent.OAuthClientClient) (*ent.OAuthClient, error) {
	now := time.Now().UTC()
	return client.Create().
		SetID(uuid.New()).SetOrganisation("default").SetCreatedAt(now).SetUpdatedAt(now).
		SetName("n").SetRedirectURI("https://example.com/").SetWebsiteURL("https://example.com").SetDescription("d").
		SetSupportsRefreshToken(true).SetSupportsImplicitGrant(true).SetSupportsDeviceCodeGrant(true).SetSupportsCodeGrant(true).
		SetUsesManagedBuckets(true).SetApplicationBindings(nil).SetAllowedDelegators(nil).
		SetBackchannelLogoutSessionRequired(true).SetFrontchannelLogoutSessionRequired(true).
		SetPostLogoutRedirectUris(nil).SetIsVerified(true).SetHasSecret(false).
		Save(ctx)
}

// pragma is a setting of a connection.
func pragma(t *testing.T, client *ent.Client, name string) string {
	t.Helper()
	rows, err := client.QueryContext(t.Context(), "PRAGMA "+name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var value string
	if !rows.Next() || rows.Scan(&value) != nil {
		t.Fatalf("PRAGMA %s has no value: %v", name, rows.Err())
	}
	return value
}

// Durable, with foreign keys, and never waiting for ever: without one of these
// a promise of the service would be a lie.
func TestOpenSQLite_ConnectionSettings(t *testing.T) {
	db := migrated(t, newPath(t))
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0",
	} {
		if got := pragma(t, db.Write, name); got != want {
			t.Errorf("writer: %s is %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"journal_mode": "wal", "busy_timeout": "5000", "query_only": "1"} {
		if got := pragma(t, db.Read, name); got != want {
			t.Errorf("reader: %s is %s, want %s", name, got, want)
		}
	}
	if _, err := insert(t.Context(), db.Read.OAuthClient); err == nil || !strings.Contains(err.Error(), "attempt to write a readonly database") {
		t.Errorf("writing through the reader: got error %v", err)
	}
}

func TestOpenSQLite_FileMode(t *testing.T) {
	path := newPath(t)
	migrated(t, path)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got %v, error %v", name, info, err)
		}
	}
}

// A transaction takes the write lock when it begins: if it took it later, two
// that read first could both fail.
func TestWrite_BeginsAsWriter(t *testing.T) {
	path := newPath(t)
	db := migrated(t, path)
	writer, err := db.Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	impatient, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=0&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer impatient.Close()
	_, err = impatient.BeginTx(t.Context(), nil)
	if err == nil || err.Error() != "database is locked" || database.Classify(err) != tx.Unavailable {
		t.Errorf("a second writer: got error %v", err)
	}

	if _, err := insert(t.Context(), writer.OAuthClient); err != nil {
		t.Fatal(err)
	}
	wantClients(t, db, 0) // readers do not wait, and see what is committed
	if err := writer.Commit(); err != nil {
		t.Fatal(err)
	}
	wantClients(t, db, 1)
}

func wantClients(t *testing.T, db *database.DB, want int) {
	t.Helper()
	if got, err := db.Read.OAuthClient.Query().Count(t.Context()); err != nil || got != want {
		t.Errorf("got %d clients, error %v, want %d", got, err, want)
	}
}

// Waiting for the one writer must end with the caller's patience.
func TestWrite_CallerCanceledInQueue(t *testing.T) {
	db := migrated(t, newPath(t))
	tx, err := db.Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has changed nothing
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := db.Write.Tx(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

func TestOpenSQLite_PathWithAnyCharacter(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "a%20b.db", "a&b=c.db", "größe.db", "'\";.db", "file:a.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			db := migrated(t, path)
			if _, err := insert(t.Context(), db.Write.OAuthClient); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				t.Errorf("got %v, error %v", info, err)
			}
			wantClients(t, open(t, path), 1)
		})
	}
}

func TestOpenReadOnly_ChangesNothing(t *testing.T) {
	path := newPath(t)
	if client, err := database.OpenReadOnly(t.Context(), path); err == nil || client != nil || !strings.HasPrefix(err.Error(), "open database: ") {
		t.Errorf("of no file: got %v, error %v", client, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there, error %v", err)
	}
	if err := migrated(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := database.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := insert(t.Context(), client.OAuthClient); err == nil || !strings.Contains(err.Error(), "attempt to write a readonly database") {
		t.Errorf("writing: got error %v", err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, error %v", err)
	}
}

func TestPing(t *testing.T) {
	db := migrated(t, newPath(t))
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Ping(ctx); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "ping database: ") {
		t.Errorf("without time: got error %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err == nil || err.Error() != "ping database: sql: database is closed" {
		t.Errorf("after it was closed: got error %v", err)
	}
}
