package database_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

func TestClassify(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want tx.Failure
	}{
		"no error":               {nil, tx.Unclassified},
		"something else":         {errors.New("disk I/O error"), tx.Unclassified},
		"a deadline":             {context.DeadlineExceeded, tx.Unclassified},
		"a lost connection":      {driver.ErrBadConn, tx.Unavailable},
		"a lock":                 {sqlite3.Error{Code: sqlite3.ErrBusy}, tx.Unavailable},
		"a lock of our own":      {sqlite3.Error{Code: sqlite3.ErrLocked}, tx.Unavailable},
		"a full disk":            {sqlite3.Error{Code: sqlite3.ErrFull}, tx.Unavailable},
		"a failing disk":         {sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, tx.Unavailable},
		"a file that went away":  {sqlite3.Error{Code: sqlite3.ErrCantOpen}, tx.Unavailable},
		"a disk that is full up": {sqlite3.Error{Code: sqlite3.ErrReadonly}, tx.Unavailable},
		"a call that was ended":  {sqlite3.Error{Code: sqlite3.ErrInterrupt}, tx.Interrupted},
		"a damaged file":         {sqlite3.Error{Code: sqlite3.ErrCorrupt}, tx.Corrupt},
		"a file of another kind": {sqlite3.Error{Code: sqlite3.ErrNotADB}, tx.Corrupt},
		"a broken rule":          {sqlite3.Error{Code: sqlite3.ErrConstraint}, tx.Unclassified},
		"wrong SQL":              {sqlite3.Error{Code: sqlite3.ErrError}, tx.Unclassified},

		"a deadlock":                     {&pgconn.PgError{Code: "40P01"}, tx.Conflict},
		"a serialisation failure":        {&pgconn.PgError{Code: "40001"}, tx.Conflict},
		"a lock for too long":            {&pgconn.PgError{Code: "55P03"}, tx.Unavailable},
		"a former primary":               {&pgconn.PgError{Code: "25006"}, tx.Unavailable},
		"an idle transaction":            {&pgconn.PgError{Code: "25P03"}, tx.Unavailable},
		"an outcome it does not know":    {&pgconn.PgError{Code: "40003"}, tx.Unavailable},
		"a full disk of PostgreSQL":      {&pgconn.PgError{Code: "53100"}, tx.Unavailable},
		"too many connections":           {&pgconn.PgError{Code: "53300"}, tx.Unavailable},
		"a failing disk of PostgreSQL":   {&pgconn.PgError{Code: "58030"}, tx.Unavailable},
		"a server that stops":            {&pgconn.PgError{Code: "57P01"}, tx.Unavailable},
		"a server that has crashed":      {&pgconn.PgError{Code: "57P02"}, tx.Unavailable},
		"a server that starts":           {&pgconn.PgError{Code: "57P03"}, tx.Unavailable},
		"a broken connection":            {&pgconn.PgError{Code: "08006"}, tx.Unavailable},
		"a statement for too long":       {&pgconn.PgError{Code: "57014"}, tx.Interrupted},
		"a damaged table":                {&pgconn.PgError{Code: "XX001"}, tx.Corrupt},
		"a damaged index":                {&pgconn.PgError{Code: "XX002"}, tx.Corrupt},
		"a broken rule of PostgreSQL":    {&pgconn.PgError{Code: "23505"}, tx.Unclassified},
		"a right that is missing":        {&pgconn.PgError{Code: "42501"}, tx.Unclassified},
		"no SQLSTATE":                    {&pgconn.PgError{}, tx.Unclassified},
		"a connection that was closed":   {pgconn.ErrConnClosed, tx.Unavailable},
		"a connection given back":        {sql.ErrConnDone, tx.Unavailable},
		"the end of what was sent":       {io.ErrUnexpectedEOF, tx.Unavailable},
		"a refused connection":           {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, tx.Unavailable},
		"no connection for lack of time": {&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, tx.Unclassified},

		"conflicts without end":                       {fmt.Errorf("%w: %w", tx.ErrConflict, driver.ErrBadConn), tx.Conflict},
		"an unknown outcome":                          {fmt.Errorf("%w: %w", tx.ErrOutcomeUnknown, driver.ErrBadConn), tx.OutcomeUnknown},
		"an unknown outcome after a conflict":         {errors.Join(tx.ErrConflict, &pgconn.PgError{Code: "40001"}, tx.ErrOutcomeUnknown), tx.OutcomeUnknown},
		"an unknown outcome of a caller who has gone": {errors.Join(context.Canceled, tx.ErrOutcomeUnknown), tx.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := database.Classify(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := database.Classify(fmt.Errorf("rotate secret: %w", tt.err)); got != tt.want {
				t.Errorf("wrapped: got %v, want %v", got, tt.want)
			}
		})
	}
}

// What the real database says, not what we think it says.
func TestClassify_SQLiteErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := database.OpenSQLite(t.Context(), path); database.Classify(err) != tx.Corrupt {
		t.Errorf("a file of another kind: got error %v", err)
	}
	if _, err := database.OpenReadOnly(t.Context(), path+"-nothing"); database.Classify(err) != tx.Unavailable {
		t.Errorf("no file: got error %v", err)
	}
	db := migrated(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Read.OAuthClient.Query().Count(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: got error %v", err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "SELECT nothing"); database.Classify(err) != tx.Unclassified {
		t.Errorf("wrong SQL: got error %v", err)
	}
}

func TestClassify_PostgreSQLErrors(t *testing.T) {
	config := storagetest.Postgres(t)
	config.LockTimeout = 50 * time.Millisecond
	db := openPostgres(t, config)
	execute(t, db.Write, "CREATE TABLE a (b integer PRIMARY KEY); INSERT INTO a VALUES (1), (2)")
	for name, tt := range map[string]struct {
		statement string
		want      tx.Failure
	}{
		"a session that was ended":  {"SELECT pg_terminate_backend(pg_backend_pid())", tx.Unavailable},
		"a statement that was":      {"SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", tx.Interrupted},
		"a session that only reads": {"BEGIN READ ONLY; DELETE FROM a", tx.Unavailable},
		"wrong SQL":                 {"SELECT nothing", tx.Unclassified},
		"a row that is there":       {"INSERT INTO a VALUES (1)", tx.Unclassified},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := db.Write.ExecContext(t.Context(), tt.statement); database.Classify(err) != tt.want {
				t.Errorf("got %v of error %v, want %v", database.Classify(err), err, tt.want)
			}
		})
	}
	t.Run("a row that another locks", func(t *testing.T) {
		holder := begin(t, db.Write, "UPDATE a SET b = b WHERE b = 1")
		defer holder.Rollback() //nolint:errcheck // it has changed nothing
		if _, err := db.Write.ExecContext(t.Context(), "UPDATE a SET b = b"); database.Classify(err) != tx.Unavailable {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("what others changed meanwhile", func(t *testing.T) {
		reader := begin(t, db.Write, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT b FROM a")
		defer reader.Rollback() //nolint:errcheck // it has changed nothing
		execute(t, db.Write, "UPDATE a SET b = 3 WHERE b = 2")
		if _, err := reader.ExecContext(t.Context(), "UPDATE a SET b = 4 WHERE b = 2"); database.Classify(err) != tx.Conflict {
			t.Errorf("got error %v", err)
		}
	})
}

// begin begins a transaction with some statements.
func begin(t *testing.T, client *ent.Client, statements string) *ent.Tx {
	t.Helper()
	tx, err := client.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	return tx
}
