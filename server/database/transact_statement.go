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
var errNotPgx = errors.New("the connection is none of pgx's")

// StatementTransactor takes two round trips where [DB.Transact] would take four:
// database/sql cannot send what begins a transaction along with what is in it. It
// is nil on SQLite, to which there is no way to go.
func (db *DB) StatementTransactor() tx.StatementTransactor {
	if db.dialect == dialect.SQLite {
		return nil
	}
	return db.transactStatement
}

func (db *DB) transactStatement(ctx context.Context, query string, args []any, read func(ent.Rows) error) error {
	return persist(ctx, func() error {
		conn, err := db.writer.Conn(ctx)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		var made *mark
		err = conn.Raw(func(c any) (err error) {
			made, err = transactStatementOn(ctx, c, query, args, read)
			return err
		})
		_ = conn.Close() // gives it back, before the outcome is asked for on another; it says nothing of the transaction
		return db.resolve(ctx, made, err)
	})
}

// transactStatementOn returns a mark if the commit was sent, or may have been.
func transactStatementOn(ctx context.Context, conn any, query string, args []any, read func(ent.Rows) error) (*mark, error) {
	pgxConn, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errNotPgx
	}
	made := &mark{}
	batch := &pgx.Batch{}
	batch.BeginTx(pgx.TxOptions{})
	batch.Queue(query, args...).Query(func(rows pgx.Rows) error { return read(rows) })
	batch.Queue(naming).QueryRow(func(row pgx.Row) error { return row.Scan(&made.id, &made.timeline, &made.life) })
	results := pgxConn.Conn().SendBatch(ctx, batch)
	tx := results.Tx()
	defer tx.Rollback(ctx) //nolint:errcheck // after a commit nothing to do; a connection that cannot roll back is closed
	if err := results.Close(); err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return made, fmt.Errorf("commit: %w", err)
	}
	return made, nil
}
