package database

import (
	"context"
	"errors"
	"fmt"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"clientsd/ent"
	"clientsd/server/tx"
)

// errNotPgx cannot happen: see OpenPostgres.
var errNotPgx = errors.New("the connection is not one of pgx")

// StatementTransactor returns a transactor that needs two round trips where
// [DB.Transact] needs four: database/sql cannot send BEGIN together with the
// statement. It returns nil on SQLite, which has no round trips.
func (db *DB) StatementTransactor() tx.StatementTransactor {
	if db.dialect == dialect.SQLite {
		return nil
	}
	return db.transactStatement
}

func (db *DB) transactStatement(ctx context.Context, query string, args []any, read func(ent.Rows) error) error {
	return retry(ctx, func() error {
		conn, err := db.writer.Conn(ctx)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		var id *txID
		err = conn.Raw(func(c any) (err error) {
			id, err = transactStatementOn(ctx, c, query, args, read)
			return err
		})
		_ = conn.Close() // gives it back before the outcome is asked for on another; the error says nothing of the transaction
		return db.resolve(ctx, id, err)
	})
}

// transactStatementOn returns a txID if the commit was sent, or may have been.
func transactStatementOn(ctx context.Context, conn any, query string, args []any, read func(ent.Rows) error) (*txID, error) {
	pgxConn, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errNotPgx
	}
	id := &txID{}
	batch := &pgx.Batch{}
	batch.BeginTx(pgx.TxOptions{})
	batch.Queue(query, args...).Query(func(rows pgx.Rows) error { return read(rows) })
	batch.Queue(selectTxID).QueryRow(func(row pgx.Row) error { return row.Scan(&id.xid, &id.timeline, &id.crashEpoch) })
	results := pgxConn.Conn().SendBatch(ctx, batch)
	tx := results.Tx()
	defer tx.Rollback(ctx) //nolint:errcheck // after a commit nothing to do; a connection that cannot roll back is closed
	if err := results.Close(); err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return id, fmt.Errorf("commit: %w", err)
	}
	return id, nil
}
