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
	// outcomePatience bounds how long the outcome of a commit is asked for when its
	// answer was lost.
	outcomePatience = 3 * time.Second
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

// A mark names a transaction beyond doubt. An id alone does not: after a failover
// the new primary may give it to another transaction, and so may a server that
// has crashed before anything of the first one was on disk.
type mark struct {
	id             sql.NullString // null: it has changed nothing
	timeline, life string
}

const (
	// timeline changes with every failover.
	timeline = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
	// life changes with every crash: PostgreSQL resets its statistics then, all of
	// them. These are the ones with the least to do.
	life = "(SELECT stats_reset::text FROM pg_stat_archiver)"
)

// naming asks for the mark of the transaction it is part of.
const naming = "SELECT pg_current_xact_id_if_assigned()::text, " + timeline + ", coalesce(" + life + ", '')"

// markOf ends the work of a transaction: what it changes later is not part of
// the mark.
func markOf(ctx context.Context, tx *ent.Tx) (*mark, error) {
	rows, err := tx.QueryContext(ctx, naming)
	if err != nil {
		return nil, fmt.Errorf("name transaction: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err below tells
	made := &mark{}
	if rows.Next() {
		err = rows.Scan(&made.id, &made.timeline, &made.life)
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		return nil, fmt.Errorf("name transaction: %w", err)
	}
	return made, nil
}

// outcome finds out how a transaction ended whose commit failed with lost. It
// asks on, also when the caller has gone, until there is an answer or it loses
// patience.
func (db *DB) outcome(ctx context.Context, made mark, lost error) error {
	if !made.id.Valid {
		return nil
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceOf(ctx))
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, outcomePause) {
		status, err := db.statusOf(asking, made)
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

// patienceOf is how long the outcome is asked for on behalf of a caller.
func patienceOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return outcomePatience
	}
	return min(outcomePatience, max(0, time.Until(deadline))+outcomeGrace)
}

// question asks how a transaction ended. When the answer is that it was committed
// it is a commit itself, later in the log of the same server: once that one is on
// disk, and on the synchronous standby if there is one, so is the first. Without
// it the answer could be true and yet be undone by a failover.
const question = `SELECT status, life = $3,
	CASE WHEN status = 'committed' THEN pg_logical_emit_message(true, 'clientsd', 'outcome') END
FROM (SELECT CASE WHEN ` + timeline + ` = $2 THEN pg_xact_status($1::text::xid8) END AS status, ` + life + ` AS life) AS known`

// statusOf is what the server says of a transaction: committed, and safe from
// now on, aborted or in progress. It is nothing if the transaction is too old or
// was on another timeline, or if the server has committed one of this id that may
// be another.
func (db *DB) statusOf(ctx context.Context, made mark) (string, error) {
	var status, position sql.NullString
	var sameLife sql.NullBool
	err := db.writer.QueryRowContext(ctx, question, made.id.String, made.timeline, made.life).Scan(&status, &sameLife, &position)
	if isNotGivenOut(err) {
		return aborted, nil
	}
	if status.String == committed && !sameLife.Bool {
		return "", err
	}
	return status.String, err
}

// isNotGivenOut reports that the server knows of no transaction with that id: it
// has crashed before anything of ours was on disk, and begins the ids anew.
func isNotGivenOut(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "22023" // invalid_parameter_value: it is in the future
}
