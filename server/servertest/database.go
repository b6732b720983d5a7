package servertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/database"
)

// Database opens the server's database a second time, beside the server, for
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

// Data is what a command is told to work on the server's data: its flags
// --data-dir, --database-url and --keyset.
func (s *Server) Data() (dir string, url database.URL, keyset string) {
	return s.storage.Dir, s.storage.Postgres.URL, s.storage.KeysetFile
}

// Stored is all that the server has stored: the content of each file of its data
// folder and, on PostgreSQL, of each table, as text.
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

// texts are the values that a query finds.
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

// Events are those of a client, the oldest first.
func (s *Server) Events(t testing.TB, clientID string) []*ent.ClientEvent {
	t.Helper()
	events, err := s.Database(t).Read.ClientEvent.Query().
		Where(clientevent.ClientID(uuid.MustParse(clientID))).
		Order(clientevent.ByID()).
		All(t.Context())
	if err != nil {
		t.Fatalf("read events: %v", err)
	}
	return events
}

// Row is a client as it is stored.
func (s *Server) Row(t testing.TB, clientID string) *ent.OAuthClient {
	t.Helper()
	row, err := s.Database(t).Read.OAuthClient.Get(t.Context(), uuid.MustParse(clientID))
	if err != nil {
		t.Fatalf("read client: %v", err)
	}
	return row
}
