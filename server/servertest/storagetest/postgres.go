package storagetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"clientsd/server/database"
)

// patience is how long the server may take to make or drop something.
const patience = time.Minute

var (
	// home is the database that this package's tests have their schemas in.
	home = sync.OnceValues(openHome)
	// schemas are the URLs of those that stand for a folder, which mu protects.
	schemas = map[string]database.URL{}
	mu      sync.Mutex
)

// urlOf returns where the schema is that stands for a folder.
func urlOf(t testing.TB, dir string) database.URL {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if found, ok := schemas[dir]; ok {
		return found
	}
	schemas[dir] = create(t)
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		delete(schemas, dir)
	})
	return schemas[dir]
}

// create makes a schema, in which a server finds as little of others as in a
// database of its own, and drops it when the test ends. To make a database
// takes PostgreSQL several hundred times as long.
func create(t testing.TB) database.URL {
	t.Helper()
	db, err := home()
	if err != nil {
		t.Fatal(err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	run := func(statement string) {
		if _, err := db.Write.ExecContext(context.Background(), statement); err != nil {
			t.Error(err)
		}
	}
	run("CREATE SCHEMA " + schema)
	t.Cleanup(func() { run("DROP SCHEMA " + schema + " CASCADE") })
	return with(homeName(), schema)
}

// openHome makes the database if it is not there. Each package has its own: the
// migrations of one must not wait for those of another.
func openHome() (*database.DB, error) {
	ctx := context.Background()
	admin, err := database.OpenPostgres(ctx, database.Postgres{URL: database.URL(os.Getenv(Variable)), StatementTimeout: patience})
	if err != nil {
		return nil, err
	}
	_, createErr := admin.Write.ExecContext(ctx, "CREATE DATABASE "+homeName())
	if err := admin.Close(); err != nil {
		return nil, err
	}
	db, err := database.OpenPostgres(ctx, database.Postgres{
		URL: with(homeName(), "public"), MaxConnections: 2, StatementTimeout: patience, LockTimeout: patience,
	})
	if err != nil {
		return nil, errors.Join(createErr, err)
	}
	return db, nil
}

// homeName derives a name from the folder of the package, where its tests run.
func homeName() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err) // a test without a folder cannot go on
	}
	return fmt.Sprintf("clientsd_test_%x", sha256.Sum256([]byte(folder)))[:30]
}

// with returns the URL of a schema in another database of the server.
func with(name, schema string) database.URL {
	server, err := url.Parse(os.Getenv(Variable))
	if err != nil {
		panic(err) // the server was reached under it
	}
	server.Path = "/" + name
	query := server.Query()
	query.Set("search_path", schema)
	server.RawQuery = query.Encode()
	return database.URL(server.String())
}
