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
	// maxTries bounds how often a transaction is run that others stand in the way of.
	maxTries = 16
	// longestPause is between the last two tries.
	longestPause = 64 * time.Millisecond
)

// Transact is the [tx.Transactor] of the database. On PostgreSQL it runs a
// transaction again that is known to be rolled back, for the sake of another one
// or because its commit never arrived, and only then. No error of a driver is
// taken for that knowledge: pgx calls some commits that took place safe to retry.
func (db *DB) Transact(ctx context.Context, body tx.Body) error {
	if db.dialect == dialect.SQLite {
		return db.transactSQLite(ctx, body)
	}
	return persist(ctx, func() error { return db.transactOnce(ctx, body) })
}

// persist runs a transaction again as long as that is all it needs.
func persist(ctx context.Context, once func() error) error {
	var err error
	for try := range maxTries {
		err = once()
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

// Serialise is Transact for transactions that read, decide, and write: their
// outcome is as if they had run one by one.
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
// ErrOutcomeUnknown only if nobody can tell.
func (db *DB) transactOnce(ctx context.Context, body tx.Body) error {
	var made *mark // not nil: the commit was sent, or may have been
	err := tx.InTx(ctx, db.Write, func(ctx context.Context, tx *ent.Tx) (err error) {
		if err = body(ctx, tx); err == nil {
			made, err = markOf(ctx, tx)
		}
		return err
	})
	return db.resolve(ctx, made, err)
}

// resolve is how a transaction has ended, given how its commit has; without a mark
// it was not sent.
func (db *DB) resolve(ctx context.Context, made *mark, err error) error {
	if err == nil || made == nil || saysRolledBack(err) {
		return err
	}
	return db.outcome(ctx, *made, err)
}

// saysRolledBack reports an answer to a commit, and no mere silence. An ERROR is
// one, unless it is there to say that nobody knows; a FATAL can also end a
// session whose commit has taken place.
func saysRolledBack(err error) bool {
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
