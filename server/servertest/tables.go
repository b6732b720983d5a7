package servertest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"entgo.io/ent/dialect"

	"clientsd/ent/oauthclient"
	"clientsd/server/servertest/storagetest"
)

// CopyStatement is the statement that copies the first client.
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

// randomUUID is a UUID of version 4 in SQLite's SQL.
const randomUUID = `lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' ||
	substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))`

// Exec changes the database behind the server's back. A ? stands for an argument.
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

// MissingTable is what a JSON log says of a table that is not there.
func MissingTable(table string) string {
	if storagetest.IsPostgres() {
		return `relation \"` + table + `\" does not exist`
	}
	return "no such table: " + table
}
