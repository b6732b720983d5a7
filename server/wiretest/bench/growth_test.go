package bench_test

import (
	"flag"
	"fmt"
	"path"
	"testing"

	"entgo.io/ent/dialect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/database"
	"clientsd/server/servertest"
)

var manyClients = flag.Int("clients", 1_000_000, "how many clients the larger database of BenchmarkGrowth has")

const (
	// fewClients is how many clients the smaller database of BenchmarkGrowth has.
	fewClients = 1_000
	// seedBatch is how many clients one statement makes.
	seedBatch = 50_000
	// growthConnections is how many concurrent callers BenchmarkGrowth has.
	growthConnections = 8
)

// BenchmarkGrowth compares a server that has many clients with one that has few.
// The metric of-few is the ratio of the rates.
func BenchmarkGrowth(b *testing.B) {
	few, many := newGrowthLoad(b, fewClients), newGrowthLoad(b, *manyClients)
	for _, calls := range []func(*benchLoad) []benchCall{
		func(l *benchLoad) []benchCall { return l.verifications },
		func(l *benchLoad) []benchCall { return l.rotations },
	} {
		b.Run(fmt.Sprintf("%s/clients=%d", path.Base(calls(many)[0].path), *manyClients), func(b *testing.B) {
			contest(b, turns, "of-few", many.caller(b, growthConnections, calls(many)), few.caller(b, growthConnections, calls(few)))
		})
	}
}

// newGrowthLoad calls about some of so many clients.
func newGrowthLoad(b *testing.B, clients int) *benchLoad {
	b.Helper()
	s := servertest.Start(b)
	token := s.Token(b, servertest.AllAPIs...)
	s.CreateAs(b, token, servertest.Request())
	return growthLoad(b, s, token, grow(b, s.Database(b), clients))
}

// growthLoad rotates each client once: its secret is known then.
func growthLoad(b *testing.B, s *servertest.Server, token string, ids []string) *benchLoad {
	b.Helper()
	load := &benchLoad{server: s, token: token}
	rotator := s.Clients(servertest.Protocols()[0], token)
	for _, id := range ids {
		answer, err := rotator.RegenerateSecret(b.Context(), &apiv1.RegenerateSecretRequest{ClientId: id, IncludeSecret: true})
		if err != nil {
			b.Fatal(err)
		}
		load.addRotation(id)
		load.addVerification(id, answer.GetClientSecret())
	}
	return load
}

// grow makes copies of the one client until there are so many, and returns the
// ids of some. The copies have its digest, which does not fit them: their first
// rotation gives them a secret of their own.
func grow(b *testing.B, db *database.DB, clients int) []string {
	b.Helper()
	for have := 1; have < clients; {
		n := min(seedBatch, clients-have)
		if _, err := db.Write.ExecContext(b.Context(), servertest.CopyStatement(db.Dialect()), n); err != nil {
			b.Fatal(err)
		}
		have += n
	}
	settle(b, db)
	return someIDs(b, db)
}

// settle does now what the database would do later, in the middle of a
// measurement, with what was written.
func settle(b *testing.B, db *database.DB) {
	b.Helper()
	statements := []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	if db.Dialect() == dialect.Postgres {
		statements = []string{"VACUUM ANALYZE oauth_clients", "CHECKPOINT"}
	}
	for _, statement := range statements {
		if _, err := db.Write.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
}

// someIDs are from everywhere in the table.
func someIDs(b *testing.B, db *database.DB) []string {
	b.Helper()
	rows, err := db.Read.QueryContext(b.Context(), fmt.Sprintf("SELECT id FROM oauth_clients ORDER BY random() LIMIT %d", benchClients))
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, id)
	}
	if rows.Err() != nil {
		b.Fatal(rows.Err())
	}
	return ids
}
