package database

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
)

const (
	// clockInterval is how often a clock is set.
	clockInterval = 10 * time.Second
	// clockTolerance is the longest a reading may have taken to be of use.
	clockTolerance = time.Second
)

// Clock returns the time that goes into the database. On SQLite that is the host's;
// on PostgreSQL it is the server's, so that replicas agree on when a previous
// secret ends, whatever their own clocks say. It is set again every ten seconds
// until the database is closed; in between it goes as the host's does.
func (db *DB) Clock(ctx context.Context, host func() time.Time) (func() time.Time, error) {
	if db.dialect == dialect.SQLite {
		return host, nil
	}
	c := &clock{pool: db.reader, host: host}
	if err := c.set(ctx); err != nil {
		return nil, fmt.Errorf("read the database's clock: %w", err)
	}
	go c.run(context.WithoutCancel(ctx), db.closed)
	return c.now, nil
}

// A clock shows the time of the PostgreSQL server.
type clock struct {
	pool *sql.DB
	host func() time.Time
	last atomic.Pointer[reading]
}

// A reading pairs the time of the server with the time of the host.
type reading struct{ theirs, ours time.Time }

// run sets the clock until the database is closed. A server that does not answer
// leaves it as it is.
func (c *clock) run(ctx context.Context, closed <-chan struct{}) {
	ticks := time.NewTicker(clockInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			_ = c.set(ctx) // the calls of users show that the database does not answer
		case <-closed:
			return
		}
	}
}

// set reads the server's clock. The server read it at some time between question
// and answer: we take the middle.
func (c *clock) set(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	asked := c.host()
	var theirs time.Time
	if err := c.pool.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return err
	}
	took := c.host().Sub(asked)
	if took < clockTolerance || c.last.Load() == nil {
		c.last.Store(&reading{theirs: theirs, ours: asked.Add(took / 2)})
	}
	return nil
}

func (c *clock) now() time.Time {
	last := c.last.Load()
	return last.theirs.Add(c.host().Sub(last.ours))
}
