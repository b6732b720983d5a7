package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

// failTimes makes the first commits of the tally fail with an error of this code.
func (c *tally) failTimes(t *testing.T, times, code string) {
	t.Helper()
	execute(t, c.direct.Write, `
		CREATE SEQUENCE commits;
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('commits') <= `+times+` THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '`+code+`'; END IF;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON tally DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`)
}

func TestTransact_RefusedCommit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		times, code string
		tries, n    int
		want        error
	}{
		"a conflict":                       {"1", "40001", 2, 1, nil},
		"a deadlock":                       {"3", "40P01", 4, 1, nil},
		"conflicts without end":            {"99", "40001", 16, 0, tx.ErrConflict},
		"a rule that was broken":           {"1", "23514", 1, 0, nil},
		"an answer that says it is not":    {"1", "40003", 2, 1, nil},
		"another that says it is not":      {"1", "08007", 2, 1, nil},
		"a reason that passes by itself":   {"1", "53200", 1, 0, nil},
		"a reason that is not in any list": {"1", "XXXXX", 1, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTally(t)
			c.failTimes(t, tt.times, tt.code)
			err := c.count(t.Context())
			if (err == nil) != (tt.n == 1) || tt.want != nil && !errors.Is(err, tt.want) || errors.Is(err, tx.ErrOutcomeUnknown) {
				t.Errorf("got error %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "commit: ERROR: on purpose (SQLSTATE "+tt.code+")") {
				t.Errorf("the error does not tell the cause: %v", err)
			}
			c.want(t, tt.tries, tt.n)
		})
	}
}

func TestTransact_CallerCanceledBetweenTries(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := c.Transact(ctx, func(context.Context, *ent.Tx) error {
		if tries++; tries == 3 {
			cancel()
		}
		return &pgconn.PgError{Severity: "ERROR", Code: "40001", Message: "on purpose"}
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, tx.ErrConflict) || tries != 3 {
		t.Errorf("after %d tries: got error %v", tries, err)
	}
}

// What is unknown is not run again, even if there was a conflict too.
func TestTransact_UnknownOutcomeIsNotRetried(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	conflict := &pgconn.PgError{Severity: "FATAL", Code: "40001", Message: "on purpose"}
	tries := 0
	err := c.Transact(t.Context(), func(context.Context, *ent.Tx) error {
		tries++
		return errors.Join(tx.ErrOutcomeUnknown, conflict)
	})
	if !errors.Is(err, tx.ErrOutcomeUnknown) || errors.Is(err, tx.ErrConflict) || tries != 1 {
		t.Errorf("after %d tries: got error %v", tries, err)
	}
}

// A real one: another transaction locks two rows in the opposite order. The one that
// has waited longest is the one that PostgreSQL ends; when that is the other one
// there was no deadlock for us, and we try again.
func TestTransact_Deadlock(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	execute(t, c.direct.Write, "CREATE TABLE pair (id text PRIMARY KEY, n integer)")
	execute(t, c.direct.Write, "INSERT INTO pair VALUES ('a', 0), ('b', 0)")
	lock := func(tx *ent.Tx, id string) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE pair SET n = n + 1 WHERE id = '"+id+"'")
		return err
	}
	for range 5 {
		other, err := c.direct.Write.Tx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := lock(other, "b"); err != nil {
			t.Fatal(err)
		}
		pid, crossed := pidOf(t, other), make(chan error, 1)
		go func() {
			c.waitUntilBlocks(t, pid)
			err := lock(other, "a") // ends one of the two
			crossed <- errors.Join(err, other.Rollback())
		}()
		tries := 0
		err = c.Transact(t.Context(), func(_ context.Context, tx *ent.Tx) error {
			tries++
			return errors.Join(lock(tx, "a"), lock(tx, "b"))
		})
		ended := <-crossed
		if err != nil {
			t.Fatalf("after %d tries: got error %v", tries, err)
		}
		if database.Classify(ended) == tx.Conflict {
			continue
		}
		if ended != nil || tries != 2 {
			t.Errorf("after %d tries; the other: %v", tries, ended)
		}
		return
	}
	t.Error("the other transaction was always the one that was ended")
}

func pidOf(t *testing.T, tx *ent.Tx) (pid string) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), "SELECT pg_backend_pid()::text")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || rows.Scan(&pid) != nil {
		t.Fatal(rows.Err())
	}
	return pid
}

// waitUntilBlocks returns when somebody waits for a lock of a session.
func (c *tally) waitUntilBlocks(t *testing.T, pid string) {
	t.Helper()
	for t.Context().Err() == nil {
		if text(t, c.direct.Read, "SELECT count(*)::text FROM pg_stat_activity WHERE "+pid+" = ANY(pg_blocking_pids(pid))") != "0" {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
