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
)

func TestClassify(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want database.Failure
	}{
		"no error":               {nil, database.Unknown},
		"something else":         {errors.New("disk I/O error"), database.Unknown},
		"a deadline":             {context.DeadlineExceeded, database.Unknown},
		"a lost connection":      {driver.ErrBadConn, database.Unavailable},
		"a lock":                 {sqlite3.Error{Code: sqlite3.ErrBusy}, database.Unavailable},
		"a lock of our own":      {sqlite3.Error{Code: sqlite3.ErrLocked}, database.Unavailable},
		"a full disk":            {sqlite3.Error{Code: sqlite3.ErrFull}, database.Unavailable},
		"a failing disk":         {sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, database.Unavailable},
		"a file that went away":  {sqlite3.Error{Code: sqlite3.ErrCantOpen}, database.Unavailable},
		"a disk that is full up": {sqlite3.Error{Code: sqlite3.ErrReadonly}, database.Unavailable},
		"a call that was ended":  {sqlite3.Error{Code: sqlite3.ErrInterrupt}, database.Interrupted},
		"a damaged file":         {sqlite3.Error{Code: sqlite3.ErrCorrupt}, database.Corrupt},
		"a file of another kind": {sqlite3.Error{Code: sqlite3.ErrNotADB}, database.Corrupt},
		"a broken rule":          {sqlite3.Error{Code: sqlite3.ErrConstraint}, database.Unknown},
		"wrong SQL":              {sqlite3.Error{Code: sqlite3.ErrError}, database.Unknown},

		"a deadlock":                     {&pgconn.PgError{Code: "40P01"}, database.Conflict},
		"a serialisation failure":        {&pgconn.PgError{Code: "40001"}, database.Conflict},
		"a lock for too long":            {&pgconn.PgError{Code: "55P03"}, database.Unavailable},
		"a former primary":               {&pgconn.PgError{Code: "25006"}, database.Unavailable},
		"an idle transaction":            {&pgconn.PgError{Code: "25P03"}, database.Unavailable},
		"an outcome it does not know":    {&pgconn.PgError{Code: "40003"}, database.Unavailable},
		"a full disk of PostgreSQL":      {&pgconn.PgError{Code: "53100"}, database.Unavailable},
		"too many connections":           {&pgconn.PgError{Code: "53300"}, database.Unavailable},
		"a failing disk of PostgreSQL":   {&pgconn.PgError{Code: "58030"}, database.Unavailable},
		"a server that stops":            {&pgconn.PgError{Code: "57P01"}, database.Unavailable},
		"a server that has crashed":      {&pgconn.PgError{Code: "57P02"}, database.Unavailable},
		"a server that starts":           {&pgconn.PgError{Code: "57P03"}, database.Unavailable},
		"a broken connection":            {&pgconn.PgError{Code: "08006"}, database.Unavailable},
		"a statement for too long":       {&pgconn.PgError{Code: "57014"}, database.Interrupted},
		"a damaged table":                {&pgconn.PgError{Code: "XX001"}, database.Corrupt},
		"a damaged index":                {&pgconn.PgError{Code: "XX002"}, database.Corrupt},
		"a broken rule of PostgreSQL":    {&pgconn.PgError{Code: "23505"}, database.Unknown},
		"a right that is missing":        {&pgconn.PgError{Code: "42501"}, database.Unknown},
		"no SQLSTATE":                    {&pgconn.PgError{}, database.Unknown},
		"a connection that was closed":   {pgconn.ErrConnClosed, database.Unavailable},
		"a connection given back":        {sql.ErrConnDone, database.Unavailable},
		"the end of what was sent":       {io.ErrUnexpectedEOF, database.Unavailable},
		"a refused connection":           {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, database.Unavailable},
		"no connection for lack of time": {&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, database.Unknown},
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
func TestClassifyKnowsWhatSQLiteSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := database.OpenSQLite(t.Context(), path); database.Classify(err) != database.Corrupt {
		t.Errorf("a file of another kind: got error %v", err)
	}
	if _, err := database.OpenReadOnly(t.Context(), path+"-nothing"); database.Classify(err) != database.Unavailable {
		t.Errorf("no file: got error %v", err)
	}
	db := migrated(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Read.OAuthClient.Query().Count(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: got error %v", err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "SELECT nothing"); database.Classify(err) != database.Unknown {
		t.Errorf("wrong SQL: got error %v", err)
	}
}

func TestClassifyKnowsWhatPostgreSQLSays(t *testing.T) {
	config := storagetest.Postgres(t)
	config.LockTimeout = 50 * time.Millisecond
	db := openPostgres(t, config)
	execute(t, db.Write, "CREATE TABLE a (b integer PRIMARY KEY); INSERT INTO a VALUES (1), (2)")
	for name, tt := range map[string]struct {
		statement string
		want      database.Failure
	}{
		"a session that was ended":  {"SELECT pg_terminate_backend(pg_backend_pid())", database.Unavailable},
		"a statement that was":      {"SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", database.Interrupted},
		"a session that only reads": {"BEGIN READ ONLY; DELETE FROM a", database.Unavailable},
		"wrong SQL":                 {"SELECT nothing", database.Unknown},
		"a row that is there":       {"INSERT INTO a VALUES (1)", database.Unknown},
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
		if _, err := db.Write.ExecContext(t.Context(), "UPDATE a SET b = b"); database.Classify(err) != database.Unavailable {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("what others changed meanwhile", func(t *testing.T) {
		reader := begin(t, db.Write, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT b FROM a")
		defer reader.Rollback() //nolint:errcheck // it has changed nothing
		execute(t, db.Write, "UPDATE a SET b = 3 WHERE b = 2")
		if _, err := reader.ExecContext(t.Context(), "UPDATE a SET b = 4 WHERE b = 2"); database.Classify(err) != database.Conflict {
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
