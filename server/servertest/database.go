package servertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// Database opens the server's database a second time, alongside the server, for
// tests that look at what is stored or damage it. It is closed with the test.
func (s *Server) Database(t testing.TB) *database.DB {
	t.Helper()
	db, err := s.openDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

func (s *Server) openDatabase(ctx context.Context) (*database.DB, error) {
	if s.storage.Postgres.URL != "" {
		return database.OpenPostgres(ctx, s.storage.Postgres)
	}
	return database.OpenSQLite(ctx, s.server.Storage().DatabaseFile)
}

// Data returns the flags of a command that works on the server's data: --data-dir,
// --database-url and --keyset.
func (s *Server) Data() (dir string, url database.URL, keyset string) {
	return s.storage.Dir, s.storage.Postgres.URL, s.storage.KeysetFile
}

// Stored returns all that the server has stored: the content of each file of its
// data folder and, on PostgreSQL, the text of each table.
func (s *Server) Stored(t testing.TB) map[string][]byte {
	t.Helper()
	stored := map[string][]byte{}
	files, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if stored[file.Name()], err = os.ReadFile(filepath.Join(s.Dir, file.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if s.storage.Postgres.URL != "" {
		db := s.Database(t).Read
		for _, table := range texts(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()") {
			stored[table] = []byte(strings.Join(texts(t, db, "SELECT row::text FROM "+table+" AS row"), "\n"))
		}
	}
	return stored
}

// texts returns the values that a query finds.
func texts(t testing.TB, db *ent.Client, query string) (values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err below tells
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// Events returns the events of a client, the oldest first, without those about
// refused secrets: they are written in the background.
func (s *Server) Events(t testing.TB, clientID string) []*ent.ClientEvent {
	t.Helper()
	return eventsOf(t, s.Database(t), clientID, false)
}

// Refusals returns the events about refused secrets of a client, the oldest first.
// All are there once the server has stopped.
func (s *Server) Refusals(t testing.TB, clientID string) []*ent.ClientEvent {
	t.Helper()
	return eventsOf(t, s.Database(t), clientID, true)
}

func eventsOf(t testing.TB, db *database.DB, clientID string, refused bool) []*ent.ClientEvent {
	t.Helper()
	events, err := db.Read.ClientEvent.Query().
		Where(clientevent.ClientID(uuid.MustParse(clientID)), clientevent.SecretRefused(refused)).
		Order(clientevent.ByID()).
		All(t.Context())
	if err != nil {
		t.Fatalf("read events: %v", err)
	}
	return events
}

// Row returns a client as it is stored.
func (s *Server) Row(t testing.TB, clientID string) *ent.OAuthClient {
	t.Helper()
	row, err := s.Database(t).Read.OAuthClient.Get(t.Context(), uuid.MustParse(clientID))
	if err != nil {
		t.Fatalf("read client: %v", err)
	}
	return row
}

// CopyStatement returns SQL that makes as many copies of the first client as its
// one argument says.
func CopyStatement(name string) string {
	columns := slices.DeleteFunc(slices.Clone(oauthclient.Columns), func(c string) bool { return c == oauthclient.FieldID })
	list := strings.Join(columns, ", ")
	series, id := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < $1) ", randomUUID
	if name == dialect.Postgres {
		series, id = "WITH n AS (SELECT generate_series(1, $1::int)) ", "gen_random_uuid()"
	}
	return series + "INSERT INTO oauth_clients (id, " + list + ") SELECT " + id + ", " + list +
		" FROM n, (SELECT " + list + " FROM oauth_clients LIMIT 1) AS first"
}

// randomUUID is SQL of SQLite for a UUID of version 4.
const randomUUID = `lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' ||
	substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))`

// Exec runs a statement on the database behind the server's back. A ? stands for an
// argument on both databases.
func (s *Server) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	for i := range args {
		if storagetest.IsPostgres() {
			statement = strings.Replace(statement, "?", "$"+strconv.Itoa(i+1), 1)
		}
	}
	if _, err := s.Database(t).Write.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// MissingTable returns what a log in JSON says of a table that does not exist.
func MissingTable(table string) string {
	if storagetest.IsPostgres() {
		return `relation \"` + table + `\" does not exist`
	}
	return "no such table: " + table
}
