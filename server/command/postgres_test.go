package command_test

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"clientsd/server/command"
	"clientsd/server/database"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
)

func TestKeysetCreate_OnceForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	create := command.KeysetCreate{File: path}
	wantSaid(t, create.Run, "created "+path+"; back it up, and give it to every server with --keyset\n")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, error %v", info, err)
	}
	keyset, err := secret.ReadKeyset(path)
	if err != nil || len(keyset.Keys()) != 1 || !keyset.Keys()[0].Primary {
		t.Errorf("got %v, error %v", keyset.Keys(), err)
	}

	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := said(t, create.Run)
	if err == nil || err.Error() != "create keyset: "+path+" is there already, and a keyset is never replaced" || got != "" {
		t.Errorf("again: got %q, error %v", got, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the keyset has changed, error %v", err)
	}
	create.File = filepath.Join(path, "none", "keyset.json")
	if got, err := said(t, create.Run); err == nil || !strings.HasPrefix(err.Error(), "create keyset: ") || got != "" {
		t.Errorf("nowhere: got %q, error %v", got, err)
	}
}

// onPostgres is an empty database and a keyset, as the flags name them.
func onPostgres(t *testing.T) (url database.URL, keyset string) {
	t.Helper()
	url, keyset = storagetest.Postgres(t).URL, filepath.Join(t.TempDir(), "keyset.json")
	if _, err := said(t, command.KeysetCreate{File: keyset}.Run); err != nil {
		t.Fatal(err)
	}
	return url, keyset
}

func TestCommands_OnPostgreSQL(t *testing.T) {
	url, keyset := onPostgres(t)
	var migrate command.Migrate
	var token command.Token
	migrate.DatabaseURL, migrate.Keyset = url, keyset
	token.DatabaseURL, token.Keyset = url, keyset
	token.Scope, token.Subject, token.Audience, token.TTL = "oauth:clients:read", "me", "clientsd", time.Hour
	if _, err := said(t, token.Run); err == nil || !strings.HasSuffix(err.Error(), ": the database is not migrated for this binary: run clientsd migrate, or clientsd serve --migrate") {
		t.Errorf("before it is migrated: got error %v", err)
	}
	for _, want := range []string{`: [1-9]\d* migrations applied, the schema is up to date\n$`, `: 0 migrations applied, the schema is up to date\n$`} {
		if got, err := said(t, migrate.Run); err != nil || !regexp.MustCompile("^database clientsd_test_.*"+want).MatchString(got) {
			t.Errorf("got %q, error %v, want %q", got, err, want)
		}
	}
	if _, err := said(t, token.Run); err == nil || err.Error() != "there is no signing key yet: clientsd serve makes one" {
		t.Errorf("before a server has made a key: got error %v", err)
	}
	serveOnce(t, url, keyset)

	var rotate command.SigningKeyRotate
	var info command.KeysetInfo
	rotate.DatabaseURL, rotate.Keyset = url, keyset
	info.DatabaseURL, info.Keyset = url, keyset
	for name, run := range map[string]func(*command.Environment) error{"token": token.Run, "signing-key rotate": rotate.Run, "keyset info": info.Run} {
		if got, err := said(t, run); err != nil || got == "" {
			t.Errorf("%s: got %q, error %v", name, got, err)
		}
	}
}

// serveOnce runs the server until it says that it serves, and looks at what it
// has said before.
func serveOnce(t *testing.T, url database.URL, keyset string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	logs := &untilServing{stop: stop}
	var serve command.Serve
	serve.Addr, serve.LogLevel, serve.LogFormat = "127.0.0.1:0", "info", "json"
	serve.DatabaseURL, serve.Keyset = url, keyset
	if err := serve.Run(&command.Environment{Context: ctx, Stdout: logs, Stderr: logs}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`synchronous_standby_names is empty: acknowledged rotations are on one machine only`,
		`"command":"clientsd token --scope 'oauth:clients:manage oauth:clients:read' --database-url 'postgres://`,
	} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("%s is not in the log:\n%s", want, logs)
		}
	}
	if strings.Contains(logs.String(), string(url)) {
		t.Errorf("the log has the URL with its password:\n%s", logs)
	}
}

func TestServePassesOnHowToUsePostgreSQL(t *testing.T) {
	var serve command.Serve
	serve.DatabaseURL, serve.Keyset = "postgres://u@db/clientsd", "keyset.json"
	serve.Addr, serve.LogLevel, serve.LogFormat = "127.0.0.1:0", "info", "json"
	serve.DatabaseMaxConnections, serve.DatabaseIdleConnections, serve.DatabaseConnectionLifetime = -1, -1, -1
	serve.StatementTimeout, serve.LockTimeout = -1, -1
	err := serve.Run(&command.Environment{Context: t.Context(), Stdout: io.Discard, Stderr: io.Discard})
	for _, flag := range []string{
		"--database-max-connections", "--database-idle-connections", "--database-connection-lifetime", "--statement-timeout", "--lock-timeout",
	} {
		if err == nil || !strings.Contains(err.Error(), flag+" ") {
			t.Errorf("%s is not in the error %v", flag, err)
		}
	}
	serve = command.Serve{Addr: serve.Addr}
	serve.LogLevel, serve.LogFormat, serve.RequireSyncStandby = "info", "json", true
	err = serve.Run(&command.Environment{Context: t.Context(), Stdout: io.Discard, Stderr: io.Discard})
	if err == nil || err.Error() != "--require-sync-standby: needs --database-url, a file has no standby" {
		t.Errorf("got error %v", err)
	}
}

// A hint that is pasted works, and puts no password on a command line.
func TestHints_HoldNoPassword(t *testing.T) {
	secretive, keyset := onPostgres(t)
	parsed, err := url.Parse(string(secretive))
	if err != nil {
		t.Fatal(err)
	}
	password, isSet := parsed.User.Password()
	if !isSet {
		t.Skip("the test database needs no password")
	}
	t.Setenv("PGPASSWORD", password)
	parsed.User = url.User(parsed.User.Username())
	plain := database.URL(parsed.String())
	shown := " --database-url '" + parsed.String() + "'"
	for _, tt := range []struct {
		given, variable database.URL
		want            string
	}{
		{plain, "", shown},
		{plain, plain, shown},
		{secretive, "", shown},
		{secretive, plain, shown},
		{secretive, secretive, ""}, // the other command finds it there
	} {
		var mark command.RollbackMark
		mark.DatabaseURL, mark.Keyset = tt.given, keyset
		t.Setenv("CLIENTSD_DATABASE_URL", string(tt.variable))
		want := "see clientsd rollback list" + tt.want + " --keyset " + keyset + "\n"
		if got, err := said(t, mark.Run); err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("got %q, error %v, want %q", got, err, want)
		}
	}
}
