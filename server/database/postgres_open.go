package database

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"clientsd/ent"
)

// Defaults of Postgres. Three replicas, and a fourth while they are replaced
// one by one, stay below the hundred connections that PostgreSQL allows unless
// configured otherwise.
const (
	DefaultMaxConnections     = 20
	DefaultConnectionLifetime = 30 * time.Minute
	DefaultStatementTimeout   = 4 * time.Second
	DefaultLockTimeout        = 3 * time.Second
)

const (
	// connectTimeout bounds an attempt to connect to one host, unless the URL
	// says otherwise.
	connectTimeout = 4 * time.Second
	// maxTimeout bounds the timeouts that PostgreSQL gets.
	maxTimeout = 24 * time.Hour
)

// Postgres says how to reach a PostgreSQL database and how to use it.
type Postgres struct {
	// URL is where it is. Empty: there is none.
	URL URL
	// MaxConnections bounds the open connections. Zero: DefaultMaxConnections.
	MaxConnections int
	// IdleConnections bounds those that stay open while nobody needs them. Zero:
	// MaxConnections.
	IdleConnections int
	// ConnectionLifetime is how long a connection is used. Zero:
	// DefaultConnectionLifetime.
	ConnectionLifetime time.Duration
	// StatementTimeout bounds how long a statement may run, and how long a
	// transaction may be idle. Zero: DefaultStatementTimeout.
	StatementTimeout time.Duration
	// LockTimeout bounds how long a statement may wait for a lock. Zero:
	// DefaultLockTimeout.
	LockTimeout time.Duration
}

// Validate says everything that is wrong, by the names of the flags and without
// the password, or returns nil. Without a URL nothing is.
func (p Postgres) Validate() error {
	if p.URL == "" {
		return nil
	}
	_, err := p.URL.parse()
	p = p.withDefaults()
	return errors.Join(
		err,
		inRange("--database-max-connections", p.MaxConnections, 1, 10_000),
		inRange("--database-idle-connections", p.IdleConnections, 1, p.MaxConnections),
		inRange("--database-connection-lifetime", p.ConnectionLifetime, time.Second, maxTimeout),
		inRange("--statement-timeout", p.StatementTimeout, time.Millisecond, maxTimeout),
		inRange("--lock-timeout", p.LockTimeout, time.Millisecond, maxTimeout),
	)
}

func inRange[T int | time.Duration](flag string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s %v: must be %v to %v", flag, value, least, most)
	}
	return nil
}

func (p Postgres) withDefaults() Postgres {
	p.MaxConnections = cmp.Or(p.MaxConnections, DefaultMaxConnections)
	p.IdleConnections = cmp.Or(p.IdleConnections, p.MaxConnections)
	p.ConnectionLifetime = cmp.Or(p.ConnectionLifetime, DefaultConnectionLifetime)
	p.StatementTimeout = cmp.Or(p.StatementTimeout, DefaultStatementTimeout)
	p.LockTimeout = cmp.Or(p.LockTimeout, DefaultLockTimeout)
	return p
}

// OpenPostgres connects to a PostgreSQL database. The schema is as it was: see
// Migrate.
//
// Errors: those of Validate; ErrEncoding, ErrTransactionPooling; the server does
// not answer, refuses, or is a standby.
func OpenPostgres(ctx context.Context, p Postgres) (*DB, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	config, err := p.connConfig()
	if err != nil {
		return nil, err
	}
	pool, err := p.openPool(ctx, config)
	if err != nil {
		return nil, err
	}
	client := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, pool)))
	return &DB{
		Write:            client,
		Read:             client,
		name:             nameOf(config),
		dialect:          dialect.Postgres,
		writer:           pool,
		reader:           pool,
		closed:           make(chan struct{}),
		openForMigration: func(ctx context.Context) (*sql.DB, error) { return p.openPool(ctx, withoutStatementTimeout(config)) },
	}, nil
}

// connConfig returns the settings of every connection.
func (p Postgres) connConfig() (*pgx.ConnConfig, error) {
	config, err := p.URL.parse()
	if err != nil {
		return nil, err
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "clientsd"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range p.sessionParameters() {
		set(config, name, value)
	}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	config.OnNotice = closeOnSyncRepCancel
	return config, nil
}

// set gives a session parameter its value; PostgreSQL ignores the case of names.
func set(config *pgx.ConnConfig, name, value string) {
	for other := range config.RuntimeParams {
		if strings.EqualFold(other, name) {
			delete(config.RuntimeParams, other)
		}
	}
	config.RuntimeParams[name] = value
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// withoutStatementTimeout returns config for migrations: a statement may run for
// long, but not wait for a lock while others queue up behind it.
func withoutStatementTimeout(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	set(config, "statement_timeout", "0")
	return config
}

// closeOnSyncRepCancel closes a connection on which PostgreSQL stopped waiting for
// its synchronous standby, as it does when somebody cancels a COMMIT. PostgreSQL
// would report success, with only a warning, for a commit that a failover can lose.
// With the connection closed the outcome is unknown, as if the answer were lost.
func closeOnSyncRepCancel(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.Routine == "SyncRepWaitForLSN" { // its text is in the server's language
		_ = conn.Close(context.Background()) // the server notices by itself
	}
}

// stillWritable drops a connection whose server has become read-only since it
// was opened: the primary is elsewhere now. PostgreSQL 14 and later tell.
func stillWritable(_ context.Context, conn *pgx.Conn) error {
	for _, name := range []string{"in_hot_standby", "default_transaction_read_only"} {
		if conn.PgConn().ParameterStatus(name) == "on" {
			return driver.ErrBadConn
		}
	}
	return nil
}

func (p Postgres) openPool(ctx context.Context, config *pgx.ConnConfig) (*sql.DB, error) {
	config = config.Copy()
	prepare := prepareSession(config.ConnectTimeout, afterStartup(config))
	pool := sql.OpenDB(connector{stdlib.GetConnector(*config, stdlib.OptionAfterConnect(prepare), stdlib.OptionResetSession(stillWritable))})
	if err := refuseTransactionPooling(ctx, pool); err != nil {
		if !errors.Is(err, ErrTransactionPooling) {
			err = fmt.Errorf("--database-url: %w", err)
		}
		return nil, errors.Join(err, pool.Close())
	}
	pool.SetMaxOpenConns(p.MaxConnections)
	pool.SetMaxIdleConns(p.IdleConnections)
	pool.SetConnMaxLifetime(p.ConnectionLifetime)
	return pool, nil
}

// nameOf names the database and its hosts; TLS and plain text are two attempts
// at the same host.
func nameOf(config *pgx.ConnConfig) string {
	hosts := make([]string, 0, 1+len(config.Fallbacks))
	hosts = append(hosts, config.Host)
	for _, other := range config.Fallbacks {
		hosts = append(hosts, other.Host)
	}
	return fmt.Sprintf("database %s on %s", config.Database, strings.Join(slices.Compact(hosts), ", "))
}
