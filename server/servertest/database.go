package servertest

import (
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
	db, err := database.OpenSQLite(t.Context(), s.server.Storage().DatabaseFile)
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
