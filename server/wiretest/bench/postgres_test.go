package bench_test

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
	"time"

	"clientsd/server/servertest/storagetest"
)

const (
	// postgresConnections is how many concurrent callers BenchmarkPostgres has.
	postgresConnections = 32
	// pgbenchSeconds is how long pgbench measures in each turn: with less its
	// beginning and its end, when not every connection is busy, would flatter us.
	pgbenchSeconds = 2
)

// BenchmarkPostgres compares RegenerateSecret over HTTP with pgbench, which does
// a bare durable single-row UPDATE with 32 connections on the same server: the
// metric of-bare is the ratio of the two rates.
func BenchmarkPostgres(b *testing.B) {
	if !storagetest.IsPostgres() {
		b.Skip("measures PostgreSQL: " + storagetest.Variable + " says which")
	}
	load := newBenchLoad(b)
	bare := pgbench(b, load)
	for _, n := range []int{1, 8, postgresConnections} {
		b.Run(fmt.Sprintf("RegenerateSecret/connections=%d", n), func(b *testing.B) {
			contest(b, fewTurns, "of-bare", load.caller(b, n, load.rotations), bare)
		})
	}
	b.Run(fmt.Sprintf("VerifySecret/connections=%d", postgresConnections), func(b *testing.B) {
		alone(b, load.caller(b, postgresConnections, load.verifications))
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

// pgbench updates random rows of a table beside the load's. It says how long so
// many updates would take at the rate that it has.
func pgbench(b *testing.B, load *benchLoad) contender {
	b.Helper()
	table := makeBareTable(b, load)
	_, address, _ := load.server.Data()
	script := filepath.Join(b.TempDir(), "update.sql")
	text := fmt.Sprintf("\\set id random(1, %d)\nUPDATE %s SET value = value WHERE id = :id;\n", benchClients, table)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return func(b *testing.B, calls int) time.Duration {
		b.Helper()
		command := osexec.CommandContext(b.Context(), "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(postgresConnections),
			"-j", "2", "-T", strconv.Itoa(pgbenchSeconds), "-f", script, withoutQuery(b, string(address)))
		command.Env = append(os.Environ(), "PGSSLMODE="+sslMode(b, string(address)))
		return time.Duration(float64(calls) / rateOf(b, command) * float64(time.Second))
	}
}

// rateOf is what pgbench says of itself, without the time to connect.
func rateOf(b *testing.B, command *osexec.Cmd) float64 {
	b.Helper()
	out, err := command.CombinedOutput()
	found := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out)
	if err != nil || found == nil {
		b.Fatalf("pgbench: %s (%v)", out, err)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
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
