package database

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// ErrEncoding refuses a database that cannot hold every text.
var ErrEncoding = errors.New("the database does not hold UTF-8: make one with CREATE DATABASE clientsd TEMPLATE template0 ENCODING 'UTF8'")

// isStartupParameter reports the session parameters that go out with the request
// to connect. PgBouncer refuses every other one there, so they are set afterwards;
// but default_transaction_read_only decides whether the server is accepted.
func isStartupParameter(name string) bool {
	switch strings.ToLower(name) {
	case "application_name", "client_encoding", "datestyle", "default_transaction_read_only", "options", "standard_conforming_strings", "timezone":
		return true
	default:
		return false
	}
}

// sessionParameters returns the values the promises rest on, whatever the role, the
// database or the URL say.
func (p Postgres) sessionParameters() map[string]string {
	return map[string]string{
		"client_encoding":                     "UTF8",
		"datestyle":                           "ISO, MDY",
		"timezone":                            "UTC",
		"standard_conforming_strings":         "on",
		"statement_timeout":                   milliseconds(p.StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(p.StatementTimeout),
		"lock_timeout":                        milliseconds(p.LockTimeout),
	}
}

// afterStartup takes the parameters out of config that are set by a statement.
func afterStartup(config *pgx.ConnConfig) map[string]string {
	later := map[string]string{}
	for name, value := range config.RuntimeParams {
		if !isStartupParameter(name) {
			later[name] = value
			delete(config.RuntimeParams, name)
		}
	}
	return later
}

// prepareSession returns what makes a new connection ready for use. A connection
// that it refuses is closed: database/sql's adapter of pgx would leak it.
func prepareSession(timeout time.Duration, parameters map[string]string) func(context.Context, *pgx.Conn) error {
	query, values := setStatement(parameters)
	return func(ctx context.Context, conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := checkEncoding(conn); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
		if _, err := conn.Exec(ctx, query, values...); err != nil {
			return errors.Join(fmt.Errorf("set session parameters: %w", err), conn.Close(ctx))
		}
		readUTC(conn)
		return nil
	}
}

// setStatement sets all parameters in one round trip. The protocol without named
// statements leaves nothing on the server.
func setStatement(parameters map[string]string) (string, []any) {
	calls := make([]string, 0, len(parameters))
	values := append(make([]any, 0, 1+2*len(parameters)), pgx.QueryExecModeExec)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, false)", len(values), len(values)+1))
		values = append(values, name, parameters[name])
	}
	return "SELECT " + strings.Join(calls, ", "), values
}

// checkEncoding reads what PostgreSQL reports of each connection.
func checkEncoding(conn *pgx.Conn) error {
	if encoding := conn.PgConn().ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("%w (it holds %s)", ErrEncoding, encoding)
	}
	return nil
}

// readUTC gives the times that are read the zone UTC, as those on SQLite have;
// pgx would give them the zone of the host.
func readUTC(conn *pgx.Conn) {
	codec := &pgtype.TimestamptzCodec{ScanLocation: time.UTC}
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: codec})
}
