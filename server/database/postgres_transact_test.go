package database_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/servertest/pgproxy"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

// A tally is a number that transactions count up over a bad line.
type tally struct {
	*database.DB

	line   *pgproxy.Proxy
	direct *database.DB // on a good line
	tries  int          // how often the transaction was run
}

func newTally(t *testing.T) *tally {
	t.Helper()
	config := storagetest.Postgres(t)
	direct := openPostgres(t, config)
	execute(t, direct.Write, "CREATE TABLE tally (n integer)")
	execute(t, direct.Write, "INSERT INTO tally VALUES (0)")
	line := pgproxy.Start(t, string(config.URL))
	config.URL = database.URL(line.URL)
	return &tally{DB: openPostgres(t, config), line: line, direct: direct}
}

// count counts up in one transaction.
func (c *tally) count(ctx context.Context) error {
	c.tries = 0
	return c.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		c.tries++
		_, err := tx.ExecContext(ctx, "UPDATE tally SET n = n + 1")
		return err
	})
}

// want fails the test unless so many tries have made this number.
func (c *tally) want(t *testing.T, tries, n int) {
	t.Helper()
	if got := text(t, c.direct.Read, "SELECT n::text FROM tally"); got != strconv.Itoa(n) || c.tries != tries {
		t.Errorf("%d tries have counted to %s, want %d to %d", c.tries, got, tries, n)
	}
}

func TestTransact_ConnectionLost(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	for name, tt := range map[string]struct {
		moment        pgproxy.Moment
		inTransaction bool
		tries, n      int
		failure       tx.Failure
	}{
		"before the server has the commit":       {pgproxy.BeforeCommit(), true, 2, 1, tx.Unclassified},
		"after the server has committed":         {pgproxy.AfterCommit(), false, 1, 1, tx.Unclassified},
		"after a statement, not yet immediately": {pgproxy.After("UPDATE"), true, 1, 0, tx.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			execute(t, c.direct.Write, "UPDATE tally SET n = 0")
			cut := c.line.CutOnce(tt.moment)
			err := c.count(t.Context())
			if database.Classify(err) != tt.failure || errors.Is(err, tx.ErrOutcomeUnknown) {
				t.Errorf("got error %v", err)
			}
			if !cut.Happened() || cut.InTransaction() != tt.inTransaction {
				t.Errorf("the line was cut: %v; in a transaction: %v", cut.Happened(), cut.InTransaction())
			}
			c.want(t, tt.tries, tt.n)
		})
	}
}

func TestCommit_CallerCanceled(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	cut := c.line.CutTogether(pgproxy.AfterCommit(), 2) // the second never comes
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for !cut.Holds() && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	if err := c.count(ctx); err != nil || ctx.Err() == nil {
		t.Errorf("got error %v; the caller has gone: %v", err, ctx.Err())
	}
	c.want(t, 1, 1)
}

// It must not be run again, and the caller must not hear that it has failed.
func TestTransact_OutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		moment pgproxy.Moment
		n      int
	}{
		"of a commit":                        {pgproxy.AfterCommit(), 1},
		"of a commit that was not delivered": {pgproxy.BeforeCommit(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTally(t)
			cut := c.line.CutTogether(tt.moment, 1)
			err := c.count(t.Context())
			if !errors.Is(err, tx.ErrOutcomeUnknown) || errors.Is(err, tx.ErrConflict) || !cut.Happened() {
				t.Errorf("got error %v; the line was cut: %v", err, cut.Happened())
			}
			c.want(t, 1, tt.n)
			c.line.Up()
			if err := c.count(t.Context()); err != nil {
				t.Errorf("once the line is up: got error %v", err)
			}
			c.want(t, 1, tt.n+1)
		})
	}
}

func TestTransact_LostCommitOfNoChange(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	cut := c.line.CutTogether(pgproxy.AfterCommit(), 1)
	err := c.Transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
		_, err := tx.ExecContext(ctx, "SELECT n FROM tally")
		return err
	})
	if err != nil || !cut.Happened() {
		t.Errorf("got error %v; the line was cut: %v", err, cut.Happened())
	}
}
