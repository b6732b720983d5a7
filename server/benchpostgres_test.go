package server_test

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	osexec "os/exec" // exec is a helper here
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"clientsd/server/servertest/storagetest"
)

const (
	// postgresConnections is how many callers BenchmarkPostgres has at once.
	postgresConnections = 32
	// pgbenchSeconds is how long pgbench measures.
	pgbenchSeconds = 5
)

// BenchmarkPostgres compares RegenerateSecret over HTTP with pgbench, which does
// a bare durable single-row UPDATE with as many connections on the same server
// in the same run: the metric of-bare is the ratio of the two rates.
func BenchmarkPostgres(b *testing.B) {
	if !storagetest.IsPostgres() {
		b.Skip("measures PostgreSQL: " + storagetest.Variable + " says which")
	}
	load := newBenchLoad(b)
	bare := pgbench(b, load)
	for _, n := range []int{1, 8, postgresConnections} {
		b.Run(fmt.Sprintf("RegenerateSecret/connections=%d", n), func(b *testing.B) {
			reportRatio(b, "of-bare", load.run(b, n, load.rotations), bare)
		})
	}
	b.Run(fmt.Sprintf("VerifySecret/connections=%d", postgresConnections), func(b *testing.B) {
		load.run(b, postgresConnections, load.verifications)
	})
}

// makeBareTable makes a table like that of bareUpdates, and returns its name.
func makeBareTable(b *testing.B, load *benchLoad) string {
	b.Helper()
	db := load.server.Database(b)
	for _, statement := range []string{
		"CREATE TABLE bare (id integer PRIMARY KEY, value bytea)",
		"INSERT INTO bare SELECT i, decode(repeat('00', 600), 'hex') FROM generate_series(1, " + strconv.Itoa(benchClients) + ") AS i",
		"VACUUM ANALYZE bare",
	} {
		if _, err := db.Write.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	rows, err := db.Read.QueryContext(b.Context(), "SELECT current_schema()")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var schema string
	if !rows.Next() || rows.Scan(&schema) != nil {
		b.Fatalf("the schema has no name: %v", rows.Err())
	}
	return schema + ".bare"
}

// pgbench is the rate of updates of random rows of a table beside the load's.
func pgbench(b *testing.B, load *benchLoad) float64 {
	b.Helper()
	table := makeBareTable(b, load)
	_, address, _ := load.server.Data()
	script := filepath.Join(b.TempDir(), "update.sql")
	text := fmt.Sprintf("\\set id random(1, %d)\nUPDATE %s SET value = value WHERE id = :id;\n", benchClients, table)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	connections := strconv.Itoa(postgresConnections)
	command := osexec.CommandContext(b.Context(), "pgbench", "-n", "-M", "prepared", "-c", connections, "-j", "2",
		"-T", strconv.Itoa(pgbenchSeconds), "-f", script, withoutQuery(b, string(address)))
	command.Env = append(os.Environ(), "PGSSLMODE="+sslMode(b, string(address)))
	out, err := command.CombinedOutput()
	found := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out)
	if err != nil || found == nil {
		b.Fatalf("pgbench: %s (%v)", out, err)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("bare durable UPDATE by pgbench/connections=%d", postgresConnections), func(b *testing.B) {
		for b.Loop() { // it has been measured
		}
		b.ReportMetric(rate, "calls/s")
		b.ReportMetric(0, "ns/op")
	})
	return rate
}

// sslMode is that of a URL: pgbench is to connect as the server does.
func sslMode(b *testing.B, text string) string {
	b.Helper()
	address, err := url.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	return cmp.Or(address.Query().Get("sslmode"), "prefer")
}

// withoutQuery is a URL without the settings in it, some of which only pgx knows.
func withoutQuery(b *testing.B, text string) string {
	b.Helper()
	address, err := url.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	address.RawQuery = ""
	return address.String()
}
