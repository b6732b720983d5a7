package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"clientsd/ent"
	"clientsd/server/tx"
)

const (
	// maxOutcomeTimeout bounds how long the outcome of a commit is asked for when its
	// answer was lost.
	maxOutcomeTimeout = 3 * time.Second
	// outcomeGrace bounds it once the caller's deadline has passed: the caller may
	// still wait for the answer, but not for long.
	outcomeGrace = 500 * time.Millisecond
	// outcomePause is the longest between two such questions.
	outcomePause = 100 * time.Millisecond
)

// What pg_xact_status says of a transaction that has ended.
const (
	committed = "committed"
	aborted   = "aborted"
)

// errRolledBack says that a transaction whose answer was lost was not committed.
var errRolledBack = errors.New("the transaction was rolled back")

// A txID identifies a transaction beyond doubt. The number alone does not: after a
// failover the new primary may give it to another transaction, and so may a server
// that crashed before anything of the first one was on disk.
type txID struct {
	xid                  sql.NullString // null: it has changed nothing
	timeline, crashEpoch string
}

const (
	// timeline changes with every failover.
	timeline = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
	// crashEpoch changes with every crash: PostgreSQL resets all its statistics then.
	// These are the ones that change least.
	crashEpoch = "(SELECT stats_reset::text FROM pg_stat_archiver)"
)

// selectTxID asks for the txID of the transaction it is part of.
const selectTxID = "SELECT pg_current_xact_id_if_assigned()::text, " + timeline + ", coalesce(" + crashEpoch + ", '')"

// txIDOf must come last in a transaction: one that has changed nothing has no xid.
func txIDOf(ctx context.Context, tx *ent.Tx) (*txID, error) {
	rows, err := tx.QueryContext(ctx, selectTxID)
	if err != nil {
		return nil, fmt.Errorf("name transaction: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err below tells
	id := &txID{}
	if rows.Next() {
		err = rows.Scan(&id.xid, &id.timeline, &id.crashEpoch)
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		return nil, fmt.Errorf("name transaction: %w", err)
	}
	return id, nil
}

// outcome finds out how a transaction ended whose commit failed with lost. It asks
// until there is an answer or the time is over, also when the caller has gone.
func (db *DB) outcome(ctx context.Context, id txID, lost error) error {
	if !id.xid.Valid {
		return nil
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout(ctx))
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, outcomePause) {
		status, err := db.statusOf(asking, id)
		switch {
		case err == nil && status == committed:
			return nil
		case err == nil && status == aborted:
			return errors.Join(ctx.Err(), fmt.Errorf("%w: %w", errRolledBack, lost))
		case err == nil && status == "":
			return fmt.Errorf("%w: %w", tx.ErrOutcomeUnknown, lost)
		}
		if sleep(asking, pause) != nil {
			return fmt.Errorf("%w: %w", tx.ErrOutcomeUnknown, errors.Join(lost, err))
		}
	}
}

// outcomeTimeout returns how long to ask for the outcome on behalf of a caller.
func outcomeTimeout(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxOutcomeTimeout
	}
	return min(maxOutcomeTimeout, max(0, time.Until(deadline))+outcomeGrace)
}

// selectOutcome asks how a transaction ended. When the answer is that it was committed
// it is a commit itself, later in the log of the same server: once that one is on
// disk, and on the synchronous standby if there is one, so is the first. Without
// it the answer could be true and yet be undone by a failover.
const selectOutcome = `SELECT status, crash_epoch = $3,
	CASE WHEN status = 'committed' THEN pg_logical_emit_message(true, 'clientsd', 'outcome') END
FROM (SELECT CASE WHEN ` + timeline + ` = $2 THEN pg_xact_status($1::text::xid8) END AS status, ` + crashEpoch + ` AS crash_epoch) AS known`

// statusOf returns what the server says of a transaction: committed, and safe from
// now on, aborted or in progress. It returns nothing if the transaction is too old
// or was on another timeline, or if the server has committed a transaction with this
// number that may be another one.
func (db *DB) statusOf(ctx context.Context, id txID) (string, error) {
	var status, position sql.NullString
	var sameEpoch sql.NullBool
	err := db.writer.QueryRowContext(ctx, selectOutcome, id.xid.String, id.timeline, id.crashEpoch).Scan(&status, &sameEpoch, &position)
	if isFutureXID(err) {
		return aborted, nil
	}
	if status.String == committed && !sameEpoch.Bool {
		return "", err
	}
	return status.String, err
}

// isFutureXID reports that the server has given out no such number: it crashed
// before anything this process wrote was on disk, and starts to count again.
func isFutureXID(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "22023" // invalid_parameter_value: it is in the future
}
