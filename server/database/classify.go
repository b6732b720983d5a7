package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"clientsd/server/tx"
)

// Classify returns the class of an error that a query, a commit or a
// [tx.Transactor] returned. What nobody knows is no conflict, even if there was
// one too.
func Classify(err error) tx.Failure {
	var unconnected *pgconn.ConnectError
	var postgres *pgconn.PgError
	var sqlite sqlite3.Error
	switch {
	case errors.Is(err, tx.ErrOutcomeUnknown):
		return tx.OutcomeUnknown
	case errors.Is(err, tx.ErrConflict):
		return tx.Conflict
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return tx.Unclassified
	case errors.Is(err, errConnectTimeout), errors.As(err, &unconnected): // whatever the server has against us
		return tx.Unavailable
	case errors.As(err, &postgres):
		return classifyPostgres(postgres.Code)
	case errors.As(err, &sqlite):
		return classifySQLite(sqlite.Code)
	case isConnectionLost(err):
		return tx.Unavailable
	default:
		return tx.Unclassified
	}
}

// classifySQLite knows the primary result codes of SQLite.
func classifySQLite(code sqlite3.ErrNo) tx.Failure {
	switch code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrReadonly:
		return tx.Unavailable
	case sqlite3.ErrInterrupt:
		return tx.Interrupted
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return tx.Corrupt
	default:
		return tx.Unclassified
	}
}

// classifyPostgres knows the SQLSTATEs of PostgreSQL's appendix A.
func classifyPostgres(code string) tx.Failure {
	switch code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return tx.Conflict
	case "57014": // query_canceled, also by the statement timeout
		return tx.Interrupted
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return tx.Corrupt
	case "25006", // read_only_sql_transaction: no longer the primary
		"25P03", // idle_in_transaction_session_timeout
		"40003", // statement_completion_unknown
		"55P03", // lock_not_available: the lock timeout
		"58030": // io_error
		return tx.Unavailable
	}
	switch code[:min(2, len(code))] {
	case "08", "53", "57": // connections, resources such as disk space, operators
		return tx.Unavailable
	default:
		return tx.Unclassified
	}
}

// isConnectionLost recognises the errors of a connection that broke while it was
// used.
func isConnectionLost(err error) bool {
	var network *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.As(err, &network)
}
