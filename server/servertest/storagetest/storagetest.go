// Package storagetest gives each test a storage of its own: on the PostgreSQL
// server that CLIENTSD_TEST_DATABASE_URL names, or in a SQLite file if it names
// none. What runs on one must run on the other.
package storagetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// Variable names the URL of a PostgreSQL server, as a user who may create
// databases.
const Variable = "CLIENTSD_TEST_DATABASE_URL"

// connections bounds those of a test's pool: many tests share one server.
const connections = 20

// Open opens new storage until the test ends.
func Open(t testing.TB) *storage.Storage {
	t.Helper()
	opened, err := storage.Open(t.Context(), Config(t, storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close storage: %v", err)
		}
	})
	return opened
}

// Config returns config if tests run on SQLite. On PostgreSQL it names a schema that
// stands for the folder, unless it names one: with the same folder it is the same
// one, until the test ends that has asked first. The keyset is in the folder
// either way, unless the configuration names one.
func Config(t testing.TB, config storage.Config) storage.Config {
	t.Helper()
	if !IsPostgres() {
		return config
	}
	if config.KeysetFile == "" {
		config.KeysetFile = keysetOf(t, config.Dir)
	}
	if config.Postgres.URL == "" {
		config.Postgres = database.Postgres{URL: urlOf(t, config.Dir), MaxConnections: connections}
	}
	config.Migrate = true
	return config
}

// keysetOf returns the keyset file in a folder, made if it is not there.
func keysetOf(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "keyset.json")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.CreateKeyset(path); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return path
}

// IsPostgres reports whether tests run on PostgreSQL.
func IsPostgres() bool { return os.Getenv(Variable) != "" }

// OnFile skips a test on PostgreSQL whose subject is the database file itself;
// why completes the sentence "on PostgreSQL there is no …".
func OnFile(t testing.TB, why string) {
	t.Helper()
	if IsPostgres() {
		t.Skip("on PostgreSQL there is no " + why)
	}
}

// Postgres creates an empty schema on PostgreSQL, for tests whose subject is
// PostgreSQL. Without a server they are skipped, but fail where CI is true.
func Postgres(t testing.TB) database.Postgres {
	t.Helper()
	switch {
	case IsPostgres():
		return database.Postgres{URL: create(t), MaxConnections: connections}
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not set: in CI the tests need a PostgreSQL server", Variable)
	default:
		t.Skipf("%s is not set: this test needs a PostgreSQL server", Variable)
	}
	return database.Postgres{}
}
