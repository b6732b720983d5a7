package database_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/tx"
)

// queued are transactions that wait while another one holds the writer.
type queued struct {
	db      *database.DB
	release chan struct{}
	holder  chan error
	running sync.WaitGroup
}

// hold begins a transaction and keeps it open until commit is called.
func hold(t *testing.T, db *database.DB) *queued {
	t.Helper()
	q := &queued{db: db, release: make(chan struct{}), holder: make(chan error, 1)}
	begun := make(chan struct{})
	go func() {
		q.holder <- db.Transact(t.Context(), func(context.Context, *ent.Tx) error {
			close(begun)
			<-q.release
			return nil
		})
	}()
	<-begun
	return q
}

// add queues a transaction. The pause is for it to get there: too short a one
// makes a test weaker, and never fails it.
func (q *queued) add(ctx context.Context, body tx.Body, ended func(error)) {
	q.running.Go(func() { ended(q.db.Transact(ctx, body)) })
	time.Sleep(2 * time.Millisecond)
}

// commit lets all of them end.
func (q *queued) commit(t *testing.T) {
	t.Helper()
	close(q.release)
	if err := <-q.holder; err != nil {
		t.Errorf("the transaction that held the writer: %v", err)
	}
	q.running.Wait()
}

// write is a body that makes a client.
func write(ctx context.Context, tx *ent.Tx) error {
	_, err := insert(ctx, tx.OAuthClient)
	return err
}

func wantNoError(t *testing.T) func(error) {
	t.Helper()
	return func(err error) {
		if err != nil {
			t.Errorf("got error %v", err)
		}
	}
}

func TestTransact_WaitingTransactionsShareACommit(t *testing.T) {
	db := migrated(t, newPath(t))
	q := hold(t, db)
	transactions := make(map[*ent.Tx]int)
	for range 8 {
		q.add(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
			transactions[tx]++ // one after the other, or the race detector reports it
			return write(ctx, tx)
		}, wantNoError(t))
	}
	q.commit(t)
	if len(transactions) != 1 {
		t.Errorf("8 that waited took %d transactions", len(transactions))
	}
	wantClients(t, db, 8)
}

var errOwn = errors.New("a failure of its own")

// What one transaction does must not reach the callers of the others. Unless it ends
// the transaction that they share, none of them runs a second time.
func TestTransact_FailureReachesItsCallerOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func(ctx context.Context, cancel func(), tx *ent.Tx) error
		want error
		runs int32 // of all bodies
	}{
		"an error after a write": {func(ctx context.Context, _ func(), tx *ent.Tx) error {
			return errors.Join(write(ctx, tx), errOwn)
		}, errOwn, 5},
		"a statement that fails": {func(ctx context.Context, _ func(), tx *ent.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO nothing VALUES (1)")
			return errors.Join(err, errOwn)
		}, errOwn, 5},
		"a caller who goes in the middle": {func(ctx context.Context, cancel func(), tx *ent.Tx) error {
			cancel()
			return write(ctx, tx)
		}, context.Canceled, 5},
		"a caller who goes in the middle of a statement": {func(ctx context.Context, cancel func(), tx *ent.Tx) error {
			time.AfterFunc(5*time.Millisecond, cancel)
			return errors.Join(write(ctx, tx), longStatement(ctx, tx))
		}, context.Canceled, 5},
		"a caller who goes at the end": {func(ctx context.Context, cancel func(), tx *ent.Tx) error {
			defer cancel()
			return write(ctx, tx)
		}, context.Canceled, 5},
		"a statement that ends the whole transaction": {func(ctx context.Context, _ func(), tx *ent.Tx) error {
			_, err := tx.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, errOwn)
		}, errOwn, 3 + 5},
	} {
		t.Run(name, func(t *testing.T) {
			db := migrated(t, newPath(t))
			q := hold(t, db)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var runs atomic.Int32
			for i := range 5 {
				if i != 2 {
					q.add(t.Context(), func(ctx context.Context, tx *ent.Tx) error { runs.Add(1); return write(ctx, tx) }, wantNoError(t))
					continue
				}
				q.add(ctx, func(ctx context.Context, tx *ent.Tx) error { runs.Add(1); return tt.fail(ctx, cancel, tx) }, func(err error) {
					if !errors.Is(err, tt.want) {
						t.Errorf("the one that failed: got error %v, want %v", err, tt.want)
					}
				})
			}
			q.commit(t)
			wantClients(t, db, 4)
			if got := runs.Load(); got != tt.runs {
				t.Errorf("the bodies ran %d times, want %d", got, tt.runs)
			}
		})
	}
}

// longStatement writes for a few hundredths of a second.
func longStatement(ctx context.Context, tx *ent.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO idempotency_keys (key, request, client_id, secret_version, created_at)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i, i, i, i, i FROM n`)
	return err
}

// It must not be committed in part, nor be answered as if it were committed.
func TestTransact_SharedTransactionEndsUnnoticed(t *testing.T) {
	for name, last := range map[string]bool{"in the middle": false, "at the end": true} {
		t.Run(name, func(t *testing.T) {
			db := migrated(t, newPath(t))
			q := hold(t, db)
			q.add(t.Context(), write, wantNoError(t))
			q.add(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
				_, err := tx.ExecContext(ctx, "ROLLBACK")
				return err
			}, func(err error) {
				if err == nil || err.Error() != "commit: cannot commit - no transaction is active" {
					t.Errorf("the one that ended it: got error %v", err)
				}
			})
			if !last {
				q.add(t.Context(), write, wantNoError(t))
			}
			q.commit(t)
			if last {
				wantClients(t, db, 1)
			} else {
				wantClients(t, db, 2)
			}
		})
	}
}

func TestTransact_PanicReachesItsCallerOnly(t *testing.T) {
	for _, others := range []int{0, 3} {
		t.Run(strconv.Itoa(others)+" others", func(t *testing.T) {
			db := migrated(t, newPath(t))
			q := hold(t, db)
			q.running.Go(func() {
				defer func() {
					if got := recover(); got != "own" {
						t.Errorf("got panic %v", got)
					}
				}()
				err := db.Transact(t.Context(), func(context.Context, *ent.Tx) error { panic("own") })
				t.Errorf("no panic, error %v", err)
			})
			time.Sleep(2 * time.Millisecond)
			for range others {
				q.add(t.Context(), write, wantNoError(t))
			}
			q.commit(t)
			wantClients(t, db, others)
		})
	}
}

func TestTransact_CallerCanceledWhileItWaits(t *testing.T) {
	db := migrated(t, newPath(t))
	q := hold(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	q.add(ctx, func(context.Context, *ent.Tx) error { return errOwn }, func(err error) { ended <- err })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || err.Error() != "begin: context canceled" {
		t.Errorf("got error %v", err)
	}
	q.commit(t)
}

func TestTransact_ClosedDatabase(t *testing.T) {
	db := migrated(t, newPath(t))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Transact(t.Context(), func(context.Context, *ent.Tx) error { return errOwn }); err == nil || errors.Is(err, errOwn) {
		t.Errorf("got error %v", err)
	}
}
