package database_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"clientsd/ent"
	"clientsd/ent/migrate"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

func openPostgres(t *testing.T, config database.Postgres) *database.DB {
	t.Helper()
	db, err := database.OpenPostgres(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a test that closes it looks at the error
	return db
}

// migratedPostgres is a new database with all tables.
func migratedPostgres(t *testing.T) *database.DB {
	t.Helper()
	db := openPostgres(t, storagetest.Postgres(t))
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// show is a setting of a session.
func show(t *testing.T, client *ent.Client, name string) string {
	t.Helper()
	return text(t, client, "SHOW "+name)
}

// text is the one value that a query finds.
func text(t *testing.T, client *ent.Client, query string) string {
	t.Helper()
	rows, err := client.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var value string
	if !rows.Next() || rows.Scan(&value) != nil {
		t.Fatalf("%s: no value: %v", query, rows.Err())
	}
	return value
}

func execute(t *testing.T, client *ent.Client, statement string) {
	t.Helper()
	if _, err := client.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// with adds a parameter to a URL.
func with(t *testing.T, config database.Postgres, name, value string) database.Postgres {
	t.Helper()
	parsed, err := url.Parse(string(config.URL))
	if err != nil {
		t.Fatal(err)
	}
	query := parsed.Query()
	query.Set(name, value)
	parsed.RawQuery = query.Encode()
	config.URL = database.URL(parsed.String())
	return config
}

func TestOpenPostgres_SessionSettings(t *testing.T) {
	config := storagetest.Postgres(t)
	config.StatementTimeout, config.LockTimeout = 5*time.Second, 2*time.Second
	db := openPostgres(t, with(t, config, "TimeZone", "Europe/Berlin"))
	if db.Write != db.Read {
		t.Error("a read has another pool than a write")
	}
	for name, want := range map[string]string{
		"timezone": "UTC", "application_name": "clientsd", "statement_timeout": "5s", "lock_timeout": "2s",
		"idle_in_transaction_session_timeout": "5s",
	} {
		if got := show(t, db.Write, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	named := openPostgres(t, with(t, config, "application_name", "replica-3"))
	if got := show(t, named.Write, "application_name"); got != "replica-3" {
		t.Errorf("the application is named %s", got)
	}
}

func TestOpenPostgres_EmptyDatabase(t *testing.T) {
	db := openPostgres(t, storagetest.Postgres(t))
	if got, err := db.Schema(t.Context()); err != nil || got != database.EmptySchema {
		t.Errorf("got schema %v, error %v", got, err)
	}
	if err := db.Ping(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "ping database: ") {
		t.Errorf("ping: got error %v", err)
	}
	if !strings.HasPrefix(db.Name(), "database clientsd_test_") || db.Dialect() != "postgres" {
		t.Errorf("got name %q, dialect %q", db.Name(), db.Dialect())
	}
}

// A plan is made against a record of what the migrations lead to: what they do
// lead to must be what ent asks for.
func TestMigrate_LeadsToSchemaOfEnt(t *testing.T) {
	db := migratedPostgres(t)
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	var missing strings.Builder
	err := db.Write.Schema.WriteTo(t.Context(), &missing, migrate.WithDropColumn(true), migrate.WithDropIndex(true))
	if err != nil || missing.String() != "" {
		t.Errorf("error %v, what is missing: %s", err, missing.String())
	}
	execute(t, db.Write, "ALTER TABLE signing_keys ADD COLUMN stray text")
	if err := db.Write.Schema.WriteTo(t.Context(), &missing, migrate.WithDropColumn(true)); err != nil || !strings.Contains(missing.String(), `DROP COLUMN "stray"`) {
		t.Errorf("this test finds nothing: error %v, %s", err, missing.String())
	}
}

func TestTransaction_IdleTimeout(t *testing.T) {
	config := storagetest.Postgres(t)
	config.StatementTimeout = 50 * time.Millisecond
	db := openPostgres(t, config)
	idle, err := db.Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Rollback() //nolint:errcheck // it has changed nothing
	for err == nil {      // the server ends it, we need not wait a certain time
		time.Sleep(100 * time.Millisecond)
		_, err = idle.ExecContext(t.Context(), "SELECT 1")
	}
	if database.Classify(err) != tx.Unavailable {
		t.Errorf("got error %v", err)
	}
	execute(t, db.Write, "SELECT 1")
}

func TestOpenPostgres_Standby(t *testing.T) {
	// What pretends to be one: a database whose sessions cannot write.
	config := storagetest.Postgres(t)
	config.URL = readOnlyDatabase(t)
	_, err := database.OpenPostgres(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "read only connection") || database.Classify(err) != tx.Unavailable {
		t.Errorf("got error %v", err)
	}
}

// readOnlyDatabase creates a database of its own. A setting in the URL would not
// do: a pooler passes it on to nobody.
func readOnlyDatabase(t *testing.T) database.URL {
	t.Helper()
	admin := openPostgres(t, database.Postgres{URL: database.URL(os.Getenv(storagetest.Variable)), StatementTimeout: time.Minute})
	name := "clientsd_standby_" + strings.ToLower(rand.Text())
	execute(t, admin.Write, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if _, err := admin.Write.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	execute(t, admin.Write, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	parsed, err := url.Parse(os.Getenv(storagetest.Variable))
	if err != nil {
		t.Fatal(err)
	}
	parsed.Path = "/" + name
	return database.URL(parsed.String())
}

// After a failover the pool may hold connections to the former primary.
func TestPool_DropsReadOnlyConnection(t *testing.T) {
	config := storagetest.Postgres(t)
	config.MaxConnections = 1
	db := openPostgres(t, config)
	before := text(t, db.Write, "SELECT pg_backend_pid()::text")
	if again := text(t, db.Write, "SELECT pg_backend_pid()::text"); again != before {
		t.Errorf("a connection that can write is not used again")
	}
	execute(t, db.Write, "SET default_transaction_read_only = on")
	if after := text(t, db.Write, "SELECT pg_backend_pid()::text"); after == before {
		t.Error("a connection that cannot write is used again")
	}
}

func TestOpenPostgres_ServerDoesNotAnswer(t *testing.T) {
	_, err := database.OpenPostgres(t.Context(), database.Postgres{URL: "postgres://clientsd:s3cr3t@127.0.0.1:1/clientsd?sslmode=disable"})
	if err == nil || !strings.HasPrefix(err.Error(), "--database-url: ") || database.Classify(err) != tx.Unavailable {
		t.Errorf("got error %v", err)
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("the error shows the password: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = database.OpenPostgres(ctx, database.Postgres{URL: "postgres://127.0.0.1:1/clientsd"})
	if !errors.Is(err, context.Canceled) || database.Classify(err) != tx.Unclassified {
		t.Errorf("without a caller: got error %v", err)
	}
}
