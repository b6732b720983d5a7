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
)

// Failure is what went wrong in the database, as far as a caller can act on it.
type Failure int

const (
	// Unknown is everything not below.
	Unknown Failure = iota
	// Unavailable is a lock held too long, a full or failing disk, a lost
	// connection, a server that starts, stops or is no primary: the same call may
	// succeed later. Unless it was a commit, nothing was changed.
	Unavailable
	// Conflict is a transaction that PostgreSQL has rolled back because of another
	// one: it can be run again at once.
	Conflict
	// Interrupted is a call whose deadline passed or whose caller went away.
	Interrupted
	// Corrupt is stored data that is not, or is no longer, what the database wrote.
	Corrupt
)

// Classify tells what err, as a query or a commit returned it, means. The end of
// a context is Unknown here: it is the caller's, and not the database's.
func Classify(err error) Failure {
	var unconnected *pgconn.ConnectError
	var postgres *pgconn.PgError
	var sqlite sqlite3.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unknown
	case errors.Is(err, errSilent), errors.As(err, &unconnected): // whatever the server has against us
		return Unavailable
	case errors.As(err, &postgres):
		return classifyPostgres(postgres.Code)
	case errors.As(err, &sqlite):
		return classifySQLite(sqlite.Code)
	case isConnectionLost(err):
		return Unavailable
	default:
		return Unknown
	}
}

func classifySQLite(code sqlite3.ErrNo) Failure {
	switch code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrReadonly:
		return Unavailable
	case sqlite3.ErrInterrupt:
		return Interrupted
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return Corrupt
	default:
		return Unknown
	}
}

// classifyPostgres knows the SQLSTATEs of PostgreSQL's appendix A.
func classifyPostgres(code string) Failure {
	switch code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return Conflict
	case "57014": // query_canceled, also by the statement timeout
		return Interrupted
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return Corrupt
	case "25006", // read_only_sql_transaction: no longer the primary
		"25P03", // idle_in_transaction_session_timeout
		"40003", // statement_completion_unknown
		"55P03", // lock_not_available: the lock timeout
		"58030": // io_error
		return Unavailable
	}
	switch code[:min(2, len(code))] {
	case "08", "53", "57": // connections, resources such as disk space, operators
		return Unavailable
	default:
		return Unknown
	}
}

// isConnectionLost knows what is left of a connection that broke while it was
// used.
func isConnectionLost(err error) bool {
	var network *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.As(err, &network)
}
