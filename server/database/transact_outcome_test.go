package database_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

var errLost = errors.New("lost")

// ended is the mark of a transaction that has ended so.
func (c *tally) ended(t *testing.T, end func(*ent.Tx) error) database.Mark {
	t.Helper()
	tx, err := c.beside.Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has ended
	if _, err := tx.ExecContext(t.Context(), "UPDATE tally SET n = n + 1"); err != nil {
		t.Fatal(err)
	}
	mark, err := database.MarkOf(t.Context(), tx)
	if err := errors.Join(err, end(tx)); err != nil {
		t.Fatal(err)
	}
	return mark
}

// After a crash or a failover a server may give out an id a second time: what it
// says of that one must not be taken for an answer about ours.
func TestOutcome_OfTheSameTransaction(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	committed, rolledBack := c.ended(t, (*ent.Tx).Commit), c.ended(t, (*ent.Tx).Rollback)
	elsewhere := func(m database.Mark) database.Mark { m.Timeline = "0000FFFF"; return m }
	crashed := func(m database.Mark) database.Mark { m.Life = "1999-12-31 23:59:59+00"; return m }
	future := func(m database.Mark) database.Mark { m.ID.String = "1" + m.ID.String; return m }
	for name, tt := range map[string]struct {
		mark       database.Mark
		unknown    bool
		rolledBack bool
	}{
		"committed":             {mark: committed},
		"rolled back":           {mark: rolledBack, rolledBack: true},
		"nothing that could be": {mark: database.Mark{}},
		"committed, but by whom, after a failover":   {mark: elsewhere(committed), unknown: true},
		"rolled back, but by whom, after a failover": {mark: elsewhere(rolledBack), unknown: true},
		"committed, but by whom, after a crash":      {mark: crashed(committed), unknown: true},
		"rolled back, by anyone, after a crash":      {mark: crashed(rolledBack), rolledBack: true},
		"not given out, after a crash":               {mark: future(crashed(committed)), rolledBack: true},
		"not given out, after a failover":            {mark: future(elsewhere(committed)), unknown: true},
		"too long ago": {mark: database.Mark{
			ID: sql.NullString{String: "3", Valid: true}, Timeline: committed.Timeline, Life: "another",
		}, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			rolledBack, err := c.Outcome(t.Context(), tt.mark, errLost)
			if rolledBack != tt.rolledBack || errors.Is(err, tx.ErrOutcomeUnknown) != tt.unknown || (err != nil) != errors.Is(err, errLost) {
				t.Errorf("rolled back: %v, error %v", rolledBack, err)
			}
		})
	}
}

func TestCommit_CallerCanceledBefore(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	rolledBack, err := c.Outcome(gone, c.ended(t, (*ent.Tx).Rollback), errLost)
	if !rolledBack || !errors.Is(err, context.Canceled) || !errors.Is(err, errLost) {
		t.Errorf("rolled back: %v, error %v", rolledBack, err)
	}
	if _, err := c.Outcome(gone, c.ended(t, (*ent.Tx).Commit), errLost); err != nil {
		t.Errorf("of what was committed: got error %v", err)
	}
}
