package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// ErrTransactionPooling refuses a pooler that gives each transaction another
// session: the timeouts and prepared statements of one caller would be those of
// another.
var ErrTransactionPooling = errors.New("--database-url: the pooler in between shares sessions (pool_mode = transaction or statement): " +
	"set pool_mode = session for this database, or connect to PostgreSQL itself")

// poolerProbes is how many sessions are compared to find a pooler that shares
// them: more than it keeps idle for a database that nobody uses yet.
const poolerProbes = 4

// refuseTransactionPooling returns ErrTransactionPooling if two connections that
// are open have the same session of PostgreSQL. A pooler that keeps sessions
// apart passes.
func refuseTransactionPooling(ctx context.Context, pool *sql.DB) error {
	first, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer first.Close() //nolint:errcheck // goes back to the pool
	session, err := sessionOf(ctx, first)
	if err != nil {
		return err
	}
	if direct, err := isSession(first, session); err != nil || direct {
		return err
	}
	for range poolerProbes {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTransactionPooling, err)
		}
		defer tx.Rollback() //nolint:errcheck // held until all are compared; it has changed nothing
		other, err := sessionOf(ctx, tx)
		if err != nil {
			return err
		}
		if other == session {
			return ErrTransactionPooling
		}
	}
	return nil
}

// sessionOf returns the process of PostgreSQL that answers. It leaves no prepared
// statement behind.
func sessionOf(ctx context.Context, conn interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (session uint32, err error) {
	if err := conn.QueryRowContext(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&session); err != nil {
		return 0, fmt.Errorf("ask for session: %w", err)
	}
	return session, nil
}

// isSession reports whether the process that answers is the one that conn was
// connected to. A pooler gives out numbers of its own.
func isSession(conn *sql.Conn, session uint32) (direct bool, err error) {
	err = conn.Raw(func(driverConn any) error {
		connected, ok := driverConn.(*stdlib.Conn)
		direct = ok && connected.Conn().PgConn().PID() == session
		return nil
	})
	return direct, err
}
