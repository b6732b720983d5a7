package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"clientsd/ent"
	"clientsd/server/tx"
)

const (
	// maxTries bounds how often a transaction runs that conflicts with others.
	maxTries = 16
	// longestPause is between the last two tries.
	longestPause = 64 * time.Millisecond
)

// Transact implements [tx.Transactor]. On PostgreSQL it reruns a
// transaction only if that is known to be rolled back, because of another one or
// because its commit never arrived. An error of the driver does not prove that: pgx
// calls some commits that took place safe to retry.
func (db *DB) Transact(ctx context.Context, body tx.Body) error {
	if db.dialect == dialect.SQLite {
		return db.transactSQLite(ctx, body)
	}
	return retry(ctx, func() error { return db.transactOnce(ctx, body) })
}

// retry reruns a transaction that was rolled back through no fault of its own.
func retry(ctx context.Context, run func() error) error {
	var err error
	for try := range maxTries {
		err = run()
		if !canRunAgain(err) {
			return err
		}
		pause := rand.N(min(longestPause, time.Millisecond<<try)) //nolint:gosec // G404: jitter need not be unpredictable
		if ended := sleep(ctx, pause); ended != nil {
			return errors.Join(ended, err)
		}
	}
	return fmt.Errorf("%w: %w", tx.ErrConflict, err)
}

// Serialise runs transactions that read, decide and write, as Transact does: their
// outcome is as if they had run one after the other.
func (db *DB) Serialise(ctx context.Context, body tx.Body) error {
	if db.dialect == dialect.SQLite { // where every transaction is
		return db.Transact(ctx, body)
	}
	return db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
			return err
		}
		return body(ctx, tx)
	})
}

// transactOnce returns nil only if the transaction was committed, and
// ErrOutcomeUnknown only if that cannot be found out.
func (db *DB) transactOnce(ctx context.Context, body tx.Body) error {
	var id *txID // not nil: the commit was sent, or may have been
	err := tx.InTx(ctx, db.Write, func(ctx context.Context, tx *ent.Tx) (err error) {
		if err = body(ctx, tx); err == nil {
			id, err = txIDOf(ctx, tx)
		}
		return err
	})
	return db.resolve(ctx, id, err)
}

// resolve returns how a transaction ended whose commit returned err. Without a txID
// the commit was not sent.
func (db *DB) resolve(ctx context.Context, id *txID, err error) error {
	if err == nil || id == nil || isRolledBack(err) {
		return err
	}
	return db.outcome(ctx, *id, err)
}

// isRolledBack reports that the server answered a commit by rolling back. An ERROR
// says so, unless its code says that the outcome is unknown. A FATAL does not: it can
// also end a session whose commit has taken place.
func isRolledBack(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, sql.ErrTxDone)
	}
	switch answer.Code {
	case "40003", "08007": // statement_completion_unknown, transaction_resolution_unknown
		return false
	default:
		return answer.SeverityUnlocalized == "ERROR"
	}
}

// canRunAgain reports a transaction that is known to be rolled back through no
// fault of its own. What is unknown may have a conflict among its causes.
func canRunAgain(err error) bool {
	class := Classify(err)
	return class != tx.OutcomeUnknown && (errors.Is(err, errRolledBack) || class == tx.Conflict)
}

// sleep fails if ctx ends first.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
