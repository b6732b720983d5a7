// Package retention deletes rows that have expired, in the background. No call waits
// for it, or costs more because of it.
//
// It owns the rhythm: how often it looks, how much it deletes in one transaction, and
// how long the writers have the database to themselves in between. It must not know
// what the rows mean: each [Rule] comes from the package that owns the rows.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"clientsd/ent"
	"clientsd/server/tx"
)

const (
	// batchSize bounds the rows that one transaction deletes.
	batchSize = 500
	// batchTimeout bounds how long one batch may take, with its look at the rows.
	batchTimeout = 10 * time.Second
	// interval is how often a table is looked at that has no expired rows.
	interval = time.Minute
	// minPause is the shortest pause between two batches.
	minPause = 10 * time.Millisecond
	// pauseShare is how many times as long as a batch the pause after it is.
	pauseShare = 4
)

// A Rule says which rows of a table have expired.
type Rule struct {
	// Table is the name of the table, for logs and metrics.
	Table string
	// Find looks for up to limit expired rows. It must not write.
	Find func(ctx context.Context, limit int) (Batch, error)
}

// A Batch holds expired rows that were found together.
type Batch struct {
	// Delete deletes those of the rows that are still expired, and returns their
	// number. Nil: no row was found.
	Delete func(ctx context.Context, tx *ent.Tx) (deleted int, err error)
	// More reports that there may be further expired rows.
	More bool
	// Lag is for how long the oldest of the rows has been expired.
	Lag time.Duration
}

// A Purger deletes what its rules find.
type Purger struct {
	// Transact runs each batch. It may do nothing and return nil: then another server
	// is at work.
	Transact tx.Transactor
	// Rules are the tables to look at.
	Rules []Rule
	// Record receives how many rows of a table a batch has deleted, and its lag.
	Record func(table string, deleted int, lag time.Duration)
	// Log receives failures. They are tried again.
	Log *slog.Logger
}

// Run deletes expired rows until ctx ends. It deletes one batch of each table at a
// time, and pauses: for a while that grows with the time that the batches took, or
// until it is time to look again.
func (p *Purger) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, begun := interval, time.Now()
		if p.deleteBatches(ctx) {
			pause = max(minPause, pauseShare*time.Since(begun))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// deleteBatches deletes a batch of each table, and reports whether there may be
// more. A failure of one table does not keep the others from theirs.
func (p *Purger) deleteBatches(ctx context.Context) (more bool) {
	for _, rule := range p.Rules {
		left, err := p.deleteBatch(ctx, rule)
		if err != nil && ctx.Err() == nil {
			p.Log.WarnContext(ctx, "expired rows were not deleted", "table", rule.Table, "error", err)
		}
		more = more || left
	}
	return more
}

// deleteBatch begins a transaction only if there is something to delete.
func (p *Purger) deleteBatch(ctx context.Context, rule Rule) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	batch, err := rule.Find(ctx, batchSize)
	if err != nil {
		return false, fmt.Errorf("find: %w", err)
	}
	deleted := 0
	if batch.Delete != nil {
		err = p.Transact(ctx, func(ctx context.Context, tx *ent.Tx) (err error) {
			deleted, err = batch.Delete(ctx, tx)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("delete: %w", err)
		}
		batch.More = batch.More && deleted > 0
	}
	p.Record(rule.Table, deleted, batch.Lag)
	return batch.More, nil
}
