package database_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"clientsd/server/database"
)

func TestURL_Refused(t *testing.T) {
	const example = "must be a URL such as postgres://clientsd@db.example.com/clientsd?sslmode=verify-full"
	const encode = "percent-encode @ / ? # and % in user, password and parameters"
	const session = ": a standby may lag behind, only read-write and primary are allowed"
	for name, tt := range map[string]struct{ url, want string }{
		"no URL":                      {"clientsd", example},
		"keywords and values":         {"host=db user=u password=hidden", example},
		"another database":            {"mysql://u:hidden@db/clientsd", example},
		"an @ in the password":        {"postgres://u:hid@den@db/clientsd", encode},
		"a slash in the password":     {"postgres://u:hid/den@db/clientsd", encode},
		"a number and a slash in it":  {"postgres://u:123/den@db/clientsd", encode},
		"a question mark and a slash": {"postgres://u:hid?den/x=y@db/clientsd", encode},
		"a percent sign in it":        {"postgres://u:hid%xden@db/clientsd", encode},
		"a parameter badly encoded":   {"postgres://u@db/clientsd?password=hid%xden", encode},
		"a password without a host":   {"postgres://u:hidden/clientsd", "invalid port"},
		"an IPv6 address cut short":   {"postgres://u:hidden@[hid/clientsd", encode},
		"an unknown TLS mode": {
			"postgres://u:hidden@db/clientsd?password=hidden&sslpassword=hidden&sslmode=maybe",
			"failed to configure TLS (sslmode is invalid)",
		},
		"the simple protocol": {
			"postgres://u:hidden@db/clientsd?default_query_exec_mode=simple_protocol",
			"default_query_exec_mode=simple_protocol is refused: in this mode a statement whose answer is lost can run twice; leave it out, or use exec",
		},
		"an unknown protocol": {
			"postgres://u:hidden@db/clientsd?default_query_exec_mode=carrier_pigeon",
			"invalid default_query_exec_mode (unknown value \"carrier_pigeon\")",
		},
		"any server":        {"postgres://u:hidden@db/clientsd?target_session_attrs=any", "target_session_attrs=any" + session},
		"a standby":         {"postgres://u:hidden@db/clientsd?target_session_attrs=standby", "target_session_attrs=standby" + session},
		"rather a standby":  {"postgres://u:hidden@db/clientsd?target_session_attrs=prefer-standby", "target_session_attrs=prefer-standby" + session},
		"a statement's end": {"postgres://u:hidden@db/clientsd?Statement_Timeout=0", "Statement_Timeout: give --statement-timeout instead"},
		"a lock's end":      {"postgres://u:hidden@db/clientsd?lock_timeout=0", "lock_timeout: give --lock-timeout instead"},
	} {
		t.Run(name, func(t *testing.T) {
			err := database.Postgres{URL: database.URL(tt.url)}.Validate()
			if err == nil || err.Error() != "--database-url: "+tt.want {
				t.Errorf("got  %v\nwant --database-url: %s", err, tt.want)
			}
			wantNoPassword(t, fmt.Sprintf("%v %+v", err, err))
			if _, err := database.OpenPostgres(t.Context(), database.Postgres{URL: database.URL(tt.url)}); err == nil {
				t.Error("it was opened")
			}
		})
	}
}

// wantNoPassword knows the passwords of the test above by their halves.
func wantNoPassword(t *testing.T, text string) {
	t.Helper()
	for _, part := range []string{"hid", "den"} {
		if strings.Contains(text, part) {
			t.Errorf("%q is in %s", part, text)
		}
	}
}

func TestURL_Accepted(t *testing.T) {
	for name, url := range map[string]database.URL{
		"nothing: there is no PostgreSQL": "",
		"the other scheme":                "postgresql://db/clientsd",
		"a password percent-encoded":      "postgres://u:a%40b%2Fc%3Fd%23e%25f@db:5433/clientsd?sslmode=verify-full",
		"several hosts":                   "postgres://u@one:5432,two:5433/clientsd?target_session_attrs=primary",
		"read-write, which is forced":     "postgres://u@db/clientsd?target_session_attrs=read-write",
		"the protocol for poolers":        "postgres://u@db/clientsd?default_query_exec_mode=exec",
		"other modes with parameters":     "postgres://u@db/clientsd?default_query_exec_mode=cache_describe&statement_cache_capacity=0",
		"one more":                        "postgres://u@db/clientsd?default_query_exec_mode=describe_exec",
		"the mode there is anyway":        "postgres://u@db/clientsd?default_query_exec_mode=cache_statement",
		"a socket":                        "postgres:///clientsd?host=/var/run/postgresql",
	} {
		t.Run(name, func(t *testing.T) {
			if err := (database.Postgres{URL: url}).Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPostgresValidate_NamesFlag(t *testing.T) {
	const url = "postgres://u@db/clientsd"
	for want, config := range map[string]database.Postgres{
		"--database-max-connections -1: must be 1 to 10000":             {URL: url, MaxConnections: -1, IdleConnections: -1},
		"--database-idle-connections 21: must be 1 to 20":               {URL: url, IdleConnections: 21},
		"--database-connection-lifetime 1ms: must be 1s to 24h0m0s":     {URL: url, ConnectionLifetime: time.Millisecond},
		"--statement-timeout 1µs: must be 1ms to 24h0m0s":               {URL: url, StatementTimeout: time.Microsecond},
		"--statement-timeout 24h0m0.001s: must be 1ms to 24h0m0s":       {URL: url, StatementTimeout: 24*time.Hour + time.Millisecond},
		"--lock-timeout -1s: must be 1ms to 24h0m0s":                    {URL: url, LockTimeout: -time.Second},
		"--database-url: lock_timeout: give --lock-timeout instead\n--": {URL: url + "?lock_timeout=1", LockTimeout: -1},
	} {
		if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestURL_IsRedacted(t *testing.T) {
	secret := database.URL("postgres://u:hidden@db/clientsd")
	values := map[string]any{"a URL": secret, "a configuration": database.Postgres{URL: secret}, "a pointer": &secret, "a list": []database.URL{secret}}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("careless", "value", value)
			slog.New(slog.NewTextHandler(&log, nil)).Info("careless", "value", value)
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			wantNoPassword(t, fmt.Sprintf("%v %+v %#v %s %q %x", value, value, value, value, value, value)+log.String()+string(encoded))
		})
	}
	if got := fmt.Sprintf("%s", secret); got != "[redacted]" {
		t.Errorf("got %s", got)
	}
}

func TestURL_WithoutPassword(t *testing.T) {
	t.Parallel()
	for url, want := range map[database.URL]string{
		"postgres://db/clientsd":                                   "postgres://db/clientsd",
		"postgresql://me@db:5432/clientsd":                         "postgres://me@db:5432/clientsd",
		"postgres://me@one,two/clientsd?sslmode=disable":           "postgres://me@one,two/clientsd?sslmode=disable",
		"postgres://me:s3cr3t@db/clientsd":                         "postgres://me@db/clientsd hidden",
		"postgres://me:@db/clientsd":                               "postgres://me@db/clientsd hidden",
		"postgres:///clientsd?host=/run&password=s3cr3t":           "postgres:///clientsd?host=%2Frun hidden",
		"postgres://db/clientsd?sslpassword=s3cr3t&sslmode=prefer": "postgres://db/clientsd?sslmode=prefer hidden",
		"postgres://me:12/s3cr3t@db/clientsd":                      "[redacted] hidden",
		"mysql://me:s3cr3t@db/clientsd":                            "[redacted] hidden",
	} {
		got, hidden := url.WithoutPassword()
		if hidden {
			got += " hidden"
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
