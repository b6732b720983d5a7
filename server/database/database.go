// Package database opens the database and brings its schema up to date. It is
// the only package that names a driver, a pragma or a driver's errors.
//
// It must not know what the tables mean.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"clientsd/ent"
	"clientsd/server/batch"
)

// pingTimeout bounds a Ping: a server that is frozen keeps its connections.
const pingTimeout = 3 * time.Second

// DB is an open database. Every mutation goes through a transaction of Write,
// every plain read through Read.
type DB struct {
	// Write has one connection on SQLite, which allows one writer: waiting for it
	// in the pool honours a caller's deadline, where waiting for a lock does not.
	// On PostgreSQL it is the same pool as Read.
	Write *ent.Client
	// Read sees everything that was committed before a read began.
	Read *ent.Client

	name, dialect    string
	writer, reader   *sql.DB
	openForMigration func(context.Context) (*sql.DB, error)
	writes           *batch.Batcher[*write] // SQLite only
	closed           chan struct{}
	close            sync.Once
}

// Name returns what to call the database when talking to a person: a path, or a
// database and its server. It holds no password.
func (db *DB) Name() string { return db.name }

// Dialect returns [entgo.io/ent/dialect.SQLite] or [entgo.io/ent/dialect.Postgres].
func (db *DB) Dialect() string { return db.dialect }

// Ping fails if the database does not answer a read within three seconds.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var one int
	if err := db.reader.QueryRowContext(ctx, "SELECT 1 FROM goose_db_version LIMIT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Close closes the database. What was committed is on disk already.
func (db *DB) Close() error {
	db.close.Do(func() { close(db.closed) })
	return errors.Join(db.reader.Close(), db.writer.Close())
}
