package binary_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"clientsd/server/command"
)

// What a user sees never has the password of the database in it, however wrong
// the URL is that it is in.
func TestDatabaseURL_PasswordIsNeverShown(t *testing.T) {
	keyset := filepath.Join(t.TempDir(), "keyset.json")
	if code := command.Run(t.Context(), version, []string{"keyset", "create", keyset}, &bytes.Buffer{}, &bytes.Buffer{}); code != 0 {
		t.Fatalf("keyset create: exit code %d", code)
	}
	t.Setenv("CLIENTSD_KEYSET_FILE", keyset)
	for name, url := range map[string]string{
		"a server that is not there": "postgres://clientsd:s3cr3t@127.0.0.1:1/clientsd?sslmode=disable",
		"an unknown parameter":       "postgres://clientsd:s3cr3t@127.0.0.1:1/clientsd?sslmode=s3cr",
		"a password with a slash":    "postgres://clientsd:12/s3cr3t@127.0.0.1:1/clientsd",
		"a password without a host":  "postgres://clientsd:s3cr3t/clientsd",
		"a password in a parameter":  "postgres://127.0.0.1:1/clientsd?sslmode=disable&password=s3cr3t",
		"another kind of database":   "mysql://clientsd:s3cr3t@127.0.0.1:1/clientsd",
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"serve"}, {"migrate"}, {"token", "--scope", "oauth:clients:read"}, {"keyset", "info"}} {
				wantHidden(t, 1, append(args, "--database-url", url)...)
			}
			t.Setenv("CLIENTSD_DATABASE_URL", url)
			wantHidden(t, 0, "serve", "--help")
			wantHidden(t, 0, "keyset", "prune", "--help")
			wantHidden(t, 2, "serve", "--no-such-flag")
			wantHidden(t, 1, "serve", "--log-level", "debug")
		})
	}
}

func wantHidden(t *testing.T, wantCode int, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if code := command.Run(t.Context(), version, args, &out, &out); code != wantCode || out.Len() == 0 {
		t.Errorf("%v: exit code %d, want %d: %s", args, code, wantCode, &out)
	}
	if strings.Contains(strings.ReplaceAll(out.String(), "sslmode=s3cr", ""), "s3cr") {
		t.Errorf("%v shows the password:\n%s", args, &out)
	}
}
