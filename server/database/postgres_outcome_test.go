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

// ended returns the id of a transaction that has ended so.
func (c *tally) ended(t *testing.T, end func(*ent.Tx) error) database.TxID {
	t.Helper()
	tx, err := c.direct.Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has ended
	if _, err := tx.ExecContext(t.Context(), "UPDATE tally SET n = n + 1"); err != nil {
		t.Fatal(err)
	}
	id, err := database.TxIDOf(t.Context(), tx)
	if err := errors.Join(err, end(tx)); err != nil {
		t.Fatal(err)
	}
	return id
}

// After a crash or a failover a server may give out an id a second time: what it
// says of that one must not be taken for an answer about ours.
func TestOutcome_IsOfTheSameTransaction(t *testing.T) {
	t.Parallel()
	c := newTally(t)
	committed, rolledBack := c.ended(t, (*ent.Tx).Commit), c.ended(t, (*ent.Tx).Rollback)
	elsewhere := func(m database.TxID) database.TxID { m.Timeline = "0000FFFF"; return m }
	crashed := func(m database.TxID) database.TxID { m.CrashEpoch = "1999-12-31 23:59:59+00"; return m }
	future := func(m database.TxID) database.TxID { m.XID.String = "1" + m.XID.String; return m }
	for name, tt := range map[string]struct {
		id         database.TxID
		unknown    bool
		rolledBack bool
	}{
		"committed":             {id: committed},
		"rolled back":           {id: rolledBack, rolledBack: true},
		"nothing that could be": {id: database.TxID{}},
		"committed, but by whom, after a failover":   {id: elsewhere(committed), unknown: true},
		"rolled back, but by whom, after a failover": {id: elsewhere(rolledBack), unknown: true},
		"committed, but by whom, after a crash":      {id: crashed(committed), unknown: true},
		"rolled back, by anyone, after a crash":      {id: crashed(rolledBack), rolledBack: true},
		"not given out, after a crash":               {id: future(crashed(committed)), rolledBack: true},
		"not given out, after a failover":            {id: future(elsewhere(committed)), unknown: true},
		"too long ago": {id: database.TxID{
			XID: sql.NullString{String: "3", Valid: true}, Timeline: committed.Timeline, CrashEpoch: "another",
		}, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			rolledBack, err := c.Outcome(t.Context(), tt.id, errLost)
			if rolledBack != tt.rolledBack || errors.Is(err, tx.ErrOutcomeUnknown) != tt.unknown || (err != nil) != errors.Is(err, errLost) {
				t.Errorf("rolled back: %v, error %v", rolledBack, err)
			}
		})
	}
}

func TestOutcome_CallerCanceled(t *testing.T) {
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
