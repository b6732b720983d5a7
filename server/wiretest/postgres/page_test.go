package postgres_test

import (
	"testing"

	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// A rotated row that has to move to another page of PostgreSQL's costs an entry in
// every index. In a table that was filled in one go each page has room for one.
func TestRotation_StaysOnItsPage(t *testing.T) {
	if !storagetest.IsPostgres() {
		t.Skip("SQLite writes a row where it is: " + storagetest.Variable + " names a PostgreSQL")
	}
	const clients, fewestPages = 200, 10
	s := servertest.Start(t)
	s.Create(t, servertest.Request())
	db := s.Database(t)
	if _, err := db.Write.ExecContext(t.Context(), servertest.CopyStatement(db.Dialect()), clients); err != nil {
		t.Fatal(err)
	}
	before := pagesOf(t, db)
	rotated := make(map[int]bool)
	for id, page := range before {
		if !rotated[page] {
			rotated[page] = true
			s.Rotate(t, id)
		}
	}
	if len(rotated) < fewestPages {
		t.Fatalf("the clients are on %d pages", len(rotated))
	}
	for id, page := range pagesOf(t, db) {
		if page != before[id] {
			t.Errorf("client %s has moved from page %d to %d", id, before[id], page)
		}
	}
}

// pagesOf says on which page of the table each client is.
func pagesOf(t *testing.T, db *database.DB) map[string]int {
	t.Helper()
	rows, err := db.Read.QueryContext(t.Context(), "SELECT id::text, (ctid::text::point)[0]::int FROM oauth_clients")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := make(map[string]int)
	for rows.Next() {
		var id string
		var page int
		if err := rows.Scan(&id, &page); err != nil {
			t.Fatal(err)
		}
		found[id] = page
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return found
}
