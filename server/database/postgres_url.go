package database

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A URL says how to reach a PostgreSQL database, as libpq defines it:
// postgres://user:password@host:port/database?parameter=value. What it leaves
// out comes from libpq's environment variables and files. It may carry a
// password, so it prints as "[redacted]".
type URL string

const redacted = "[redacted]"

// Format writes "[redacted]" whatever the verb and flags.
func (URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText keeps the password out of encoding/json and its like.
func (URL) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the password out of logs.
func (URL) LogValue() slog.Value { return slog.StringValue(redacted) }

// WithoutPassword returns the URL as it may be shown, and whether it has a password.
func (u URL) WithoutPassword() (shown string, hasPassword bool) {
	parts, err := u.split()
	if err != nil {
		return redacted, true
	}
	return parts.withoutPassword(), parts.hasPassword
}

// What is wrong with a URL, where saying more could show a part of the password.
var (
	errNotURL         = errors.New("--database-url: must be a URL such as postgres://clientsd@db.example.com/clientsd?sslmode=verify-full")
	errEncoding       = errors.New("--database-url: percent-encode @ / ? # and % in user, password and parameters")
	errSimpleProtocol = errors.New("--database-url: default_query_exec_mode=simple_protocol is refused: " +
		"in this mode a statement whose answer is lost can run twice; leave it out, or use exec")
)

// parse reads the URL and refuses what would break a promise. No error quotes a
// password; those of pgx may.
func (u URL) parse() (*pgx.ConnConfig, error) {
	parts, err := u.split()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(string(u))
	if err != nil {
		return nil, parts.explain()
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errSimpleProtocol
	}
	return config, parts.refuse()
}

// urlParts are the parts of a URL, cut as pgx cuts them: hosts may be several,
// which net/url does not allow.
type urlParts struct {
	user, address string
	parameters    url.Values
	hasPassword   bool
}

func (u URL) split() (urlParts, error) {
	scheme, rest, _ := strings.Cut(string(u), "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return urlParts{}, errNotURL
	}
	var parts urlParts
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		parts.user, _, parts.hasPassword = strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
	}
	// An @ that is left may be the end of a password with a slash in it.
	if strings.Contains(rest, "@") {
		return urlParts{}, errEncoding
	}
	address, query, _ := strings.Cut(rest, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return urlParts{}, errEncoding
	}
	parts.address, parts.parameters = address, parameters
	parts.hasPassword = parts.hasPassword || parameters.Has("password") || parameters.Has("sslpassword")
	return parts, nil
}

// explain returns why pgx does not accept the URL, as it says of one without the
// password and without the URL that it quotes: a password that is misplaced can
// be anywhere in it.
func (p urlParts) explain() error {
	_, err := pgx.ParseConfig(p.withoutPassword())
	if err == nil {
		return errEncoding
	}
	reason := err.Error()
	reason = reason[strings.LastIndex(reason, "`: ")+len("`: "):]
	if strings.HasPrefix(reason, "failed to parse as URL") {
		return errEncoding
	}
	return fmt.Errorf("--database-url: %s", reason)
}

func (p urlParts) withoutPassword() string {
	shown := url.Values{}
	for name, values := range p.parameters {
		if name != "password" && name != "sslpassword" {
			shown[name] = values
		}
	}
	text := p.address
	if p.user != "" {
		text = p.user + "@" + text
	}
	if len(shown) > 0 {
		text += "?" + shown.Encode()
	}
	return "postgres://" + text
}

// refuse returns an error for a parameter that would undo what this package sees to.
func (p urlParts) refuse() error {
	for name, values := range p.parameters {
		switch strings.ToLower(name) {
		case "statement_timeout", "lock_timeout":
			return fmt.Errorf("--database-url: %s: give --%s instead", name, strings.ReplaceAll(strings.ToLower(name), "_", "-"))
		case "target_session_attrs":
			if value := values[len(values)-1]; !slices.Contains([]string{"read-write", "primary"}, value) {
				return fmt.Errorf("--database-url: target_session_attrs=%s: a standby may lag behind, only read-write and primary are allowed", value)
			}
		}
	}
	return nil
}
