package database

import (
	"context"
	"errors"

	"clientsd/ent"
	"clientsd/server/batch"
	"clientsd/server/tx"
)

// A write is one transaction that waits for the one writer of SQLite. Together
// with others it becomes a savepoint in a shared transaction, and so shares the
// wait for the disk, which is most of what a small transaction costs.
type write struct {
	ctx  context.Context //nolint:containedctx // of the call whose goroutine waits for the answer
	body tx.Body
	// panicked is what the body panicked with. Nil: it did not.
	panicked any
}

var errPanicked = errors.New("the body of a transaction has panicked")

// newWrites returns the batcher of a SQLite database.
func newWrites(client *ent.Client) *batch.Batcher[*write] {
	return &batch.Batcher[*write]{MaxConcurrent: 1, Commit: func(ctx context.Context, take batch.Take[*write]) error {
		var calls []*batch.Call[*write]
		err := tx.InTx(ctx, client, func(ctx context.Context, tx *ent.Tx) error {
			calls = take.All()
			return runWrites(ctx, tx, calls)
		})
		if len(calls) == 1 { // whatever it failed with is its own
			calls[0].Err, err = err, nil
		}
		return err
	}}
}

// transactSQLite implements [tx.Transactor]. A panic of body goes on in the goroutine of
// its caller, and nowhere else.
func (db *DB) transactSQLite(ctx context.Context, body tx.Body) error {
	w := &write{ctx: ctx, body: body}
	err := db.writes.Do(ctx, w)
	switch {
	case w.panicked != nil:
		panic(w.panicked) //nolint:forbidigo // the caller's own
	case errors.Is(err, batch.ErrRunSolo):
		return tx.InTx(ctx, db.Write, body)
	default:
		return err
	}
}

// runWrites runs each write behind a savepoint of its own: what it did before it
// failed is undone, and nothing of the others. A caller who goes does not interrupt
// a statement, which would end the transaction of all. The commit releases the last
// savepoint.
func runWrites(ctx context.Context, tx *ent.Tx, calls []*batch.Call[*write]) error {
	if len(calls) == 1 {
		return calls[0].Item.run(tx, false) //nolint:contextcheck // the context of its own call
	}
	begin := "SAVEPOINT one"
	for _, call := range calls {
		if _, err := tx.ExecContext(ctx, begin); err != nil {
			return err
		}
		begin = "RELEASE one; SAVEPOINT one"
		if call.Err = call.Item.run(tx, true); call.Err == nil { //nolint:contextcheck // as above
			continue
		}
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
			return err
		}
	}
	return nil
}

// run runs the body. A caller who has gone gets nothing done.
func (w *write) run(tx *ent.Tx, shared bool) (err error) {
	ctx := w.ctx
	if shared {
		ctx = context.WithoutCancel(ctx)
	}
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = errPanicked
		}
	}()
	return errors.Join(w.body(ctx, tx), w.ctx.Err())
}
