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

// pageCache lets each connection keep 8 MiB of pages, not 2: enough for the inner
// nodes of the trees of a million clients, so that a look-up reads two leaves.
const pageCache = "_cache_size=-8192"

// OpenSQLite opens the database file at path, and makes an empty one that only
// its owner can read if there is none. The schema is as it was: see Migrate.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	if err := touch(path, 0); err != nil {
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
	write := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, writer)))
	return &DB{
		Write:   write,
		Read:    ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, reader))),
		name:    path,
		dialect: dialect.SQLite,
		writer:  writer,
		reader:  reader,
		writes:  newWrites(write),
		closed:  make(chan struct{}),
		openForMigration: func(ctx context.Context) (*sql.DB, error) {
			return openPool(ctx, path, 1, "_foreign_keys=off", "_txlock=immediate", "_journal_mode=WAL", "_synchronous=FULL")
		},
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

// touch makes an empty file with the right mode: SQLite alone would let the
// umask decide who may read the database.
func touch(path string, flags int) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flags, fileMode) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return file.Close()
}

// openPool opens connections that all carry the given settings and those every
// connection has.
func openPool(ctx context.Context, path string, size int, settings ...string) (*sql.DB, error) {
	name, err := dataSource(path, append(settings, "_busy_timeout=5000", "_stmt_cache_size=64", pageCache))
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

// dataSource returns the URI of a database file: as a URI, a path may hold any
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
