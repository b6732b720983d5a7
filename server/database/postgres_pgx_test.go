package database_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"clientsd/server/database"
	"clientsd/server/servertest/pgproxy"
	"clientsd/server/tx"
)

// pgxHasChanged is what to do when one of these tests fails.
const pgxHasChanged = "this version of pgx does otherwise: see whether what transact.go says of it, " +
	"and the refusal of simple_protocol in url.go, still hold"

// What pgx 5.12.0 does, and why every mutation is an explicit transaction.
func TestPgx_RepeatsStatementAfterLostAnswer(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	for name, tt := range map[string]struct {
		parameter, statement string
		args                 []any
		want                 error
		n                    int
	}{
		"without arguments":                      {"exec", "UPDATE tally SET n = n + 1", nil, nil, 2},
		"with arguments":                         {"exec", "UPDATE tally SET n = n + $1", []any{1}, io.ErrUnexpectedEOF, 1},
		"with arguments, in the simple protocol": {"simple_protocol", "UPDATE tally SET n = n + $1", []any{1}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := sql.Open("pgx", c.line.URL+"&default_query_exec_mode="+tt.parameter)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			execute(t, c.direct.Write, "UPDATE tally SET n = 0")
			cut := c.line.CutOnce(pgproxy.After("UPDATE"))
			_, err = pool.ExecContext(t.Context(), tt.statement, tt.args...)
			if got := text(t, c.direct.Read, "SELECT n::text FROM tally"); got != strconv.Itoa(tt.n) || !errors.Is(err, tt.want) {
				t.Errorf("counted to %s, want %d; error %v, want %v: %s", got, tt.n, err, tt.want, pgxHasChanged)
			}
			if !cut.Happened() || cut.InTransaction() {
				t.Error("no answer to a statement of its own was lost")
			}
		})
	}
}

func TestPgx_CallsDoneCommitSafeToRetry(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	conn, err := pgx.Connect(t.Context(), c.line.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	open, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Exec(t.Context(), "UPDATE tally SET n = n + 1"); err != nil {
		t.Fatal(err)
	}
	c.line.CutOnce(pgproxy.AfterCommit())
	err = open.Commit(t.Context())
	c.want(t, 0, 1)
	if !pgconn.SafeToRetry(err) || database.Classify(err) != tx.Unavailable {
		t.Errorf("got error %v, safe to retry: %v: %s", err, pgconn.SafeToRetry(err), pgxHasChanged)
	}
}
