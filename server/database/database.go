// Package database opens the database and brings its schema up to date. It is
// the only package that names a driver, a pragma or a driver's errors.
//
// It must not know what the tables mean: it imports ent, and nothing of server/.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/mattn/go-sqlite3" // registers the driver sqlite3

	"clientsd/ent"
)

// fileMode is the mode of a new database file; SQLite gives it to the WAL too.
const fileMode = 0o600

// DB is an open database. Every mutation goes through a transaction of Write,
// every plain read through Read.
type DB struct {
	// Write has one connection: SQLite allows one writer, and waiting for it in
	// the pool honours a caller's deadline, where waiting for a lock does not.
	Write *ent.Client
	// Read sees everything that was committed before a read began.
	Read *ent.Client

	path           string
	writer, reader *sql.DB
}

// OpenSQLite opens the database file at path, and makes an empty one that only
// its owner can read if there is none. The schema is as it was: see Migrate.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	if err := touch(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	writer, err := openPool(ctx, path, 1, "_foreign_keys=on", "_txlock=immediate", "_journal_mode=WAL", "_synchronous=FULL")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	reader, err := openPool(ctx, path, max(4, 2*runtime.NumCPU()), "_query_only=on")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), writer.Close())
	}
	return &DB{
		Write:  ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, writer))),
		Read:   ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, reader))),
		path:   path,
		writer: writer,
		reader: reader,
	}, nil
}

// OpenReadOnly opens the database file at path to read it, and changes nothing
// about it. The error tells if there is no such file.
func OpenReadOnly(ctx context.Context, path string) (*ent.Client, error) {
	pool, err := openPool(ctx, path, 1, "mode=ro")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, pool))), nil
}

// Ping fails if the database does not answer a read.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.reader.QueryRowContext(ctx, "SELECT 1 FROM goose_db_version LIMIT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Close closes the database. What was committed is on disk already.
func (db *DB) Close() error {
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// touch makes an empty file with the right mode: SQLite alone would let the
// umask decide who may read the database.
func touch(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return file.Close()
}

// openPool opens connections that all carry the given settings and those every
// connection has.
func openPool(ctx context.Context, path string, size int, settings ...string) (*sql.DB, error) {
	name, err := dataSource(path, append(settings, "_busy_timeout=5000", "_stmt_cache_size=64"))
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite3", name)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// dataSource is the URI of a database file: as a URI, a path may hold any
// character.
func dataSource(path string, settings []string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: absolute}
	separator := "?"
	name := uri.String()
	for _, setting := range settings {
		name, separator = name+separator+setting, "&"
	}
	return name, nil
}
