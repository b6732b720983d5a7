package binary_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clientsd/server/command"
	"clientsd/server/servertest"
)

// taken returns an address that something listens on.
func taken(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// write makes a file that only its owner can read, and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A server that cannot serve makes nothing: no folder, no keyset, no database. It
// names the flag and does not say that it serves.
func TestServe_RefusesBeforeItMakesAnything(t *testing.T) {
	busy, cert, other := taken(t), servertest.NewCertificate(t, year, 60*day), servertest.NewCertificate(t, year, 60*day)
	keyset := filepath.Join(t.TempDir(), "keyset.json")
	do(t, "keyset", "create", keyset)
	file := write(t, "junk")
	broken := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/no/such/folder", broken); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		env  string // NAME=VALUE
		want string
	}{
		"no certificate":                {[]string{"--tls-cert", "/no/cert.pem", "--tls-key", cert.KeyFile}, "", "--tls-cert: open /no/cert.pem: no such file or directory"},
		"no key":                        {[]string{"--tls-cert", cert.CertFile, "--tls-key", "/no/key.pem"}, "", "--tls-key: open /no/key.pem: no such file or directory"},
		"the key of another":            {[]string{"--tls-cert", cert.CertFile, "--tls-key", other.KeyFile}, "", "--tls-cert " + cert.CertFile + " and --tls-key " + other.KeyFile + ": tls: private key does not match public key"},
		"both the wrong way round":      {[]string{"--tls-cert", cert.KeyFile, "--tls-key", cert.CertFile}, "", "PEM inputs may have been switched"},
		"a certificate without its key": {[]string{"--tls-cert", cert.CertFile}, "", "--tls-cert and --tls-key: both or neither must be given"},
		"a certificate that is junk":    {[]string{"--tls-cert", file, "--tls-key", cert.KeyFile}, "", "--tls-cert " + file},
		"an issuer in plain text":       {[]string{"--issuer", "http://login.example.com", "--audience", "clients"}, "", "--issuer http://login.example.com: "},
		"an address that is taken":      {[]string{"--addr", busy}, "", "--addr: listen tcp " + busy + ": bind: address already in use"},
		"a port out of range":           {[]string{"--addr", "127.0.0.1:99999"}, "", "--addr: listen tcp: address 99999: invalid port"},
		"plain text for all":            {[]string{"--addr", "0.0.0.0:0"}, "", "--addr 0.0.0.0:0: secrets would cross the network in plain text"},
		"metrics where others are":      {[]string{"--metrics-addr", busy}, "", "--metrics-addr: listen tcp " + busy + ": bind: address already in use"},
		"a folder that is a file":       {[]string{"--data-dir", file}, "", "--data-dir " + file + ": "},
		"a folder inside a file":        {[]string{"--data-dir", filepath.Join(file, "data")}, "", "--data-dir " + file + "/data: "},
		"a folder that leads nowhere, with a keyset elsewhere": {
			[]string{"--data-dir", broken, "--keyset", filepath.Join(filepath.Dir(file), "keyset.json")}, "", "--data-dir " + broken + ": ",
		},
		"a keyset in a folder that leads nowhere": {[]string{"--keyset", filepath.Join(broken, "keyset.json")}, "", "clientsd: --keyset " + broken + "/keyset.json: "},
		"a keyset that is junk":                   {[]string{"--keyset", file}, "", "--keyset " + file + ": parse keyset: not a Tink keyset in JSON"},
		"a keyset inside a file":                  {[]string{"--keyset", filepath.Join(file, "keyset.json")}, "", "--keyset " + file + "/keyset.json: "},
		"a keyset in the environment, junk":       {nil, "CLIENTSD_KEYSET=junk", "CLIENTSD_KEYSET: parse keyset: not a Tink keyset in JSON"},
		"PostgreSQL without a keyset":             {[]string{"--database-url", "postgres://127.0.0.1:1/clientsd"}, "", "--database-url: a keyset is needed too"},
		"PostgreSQL with a keyset not there":      {[]string{"--database-url", "postgres://127.0.0.1:1/clientsd", "--keyset", file + ".none"}, "", "--keyset " + file + ".none: "},
		"PostgreSQL that is not there":            {[]string{"--database-url", "postgres://127.0.0.1:1/clientsd", "--keyset", keyset, "--migrate"}, "", "--database-url: "},
		"no exporter":                             {nil, "OTEL_TRACES_EXPORTER=none-such", "OTEL_TRACES_EXPORTER: "},
		"a prefix that must be escaped":           {[]string{"--secret-prefix", "a-b"}, "", `--secret-prefix "a-b": `},
		"a standby of a file":                     {[]string{"--require-sync-standby"}, "", "--require-sync-standby: needs --database-url"},
		"no time to answer":                       {[]string{"--timeout", "0s"}, "", "--timeout 0s: must be more than zero"},
	} {
		t.Run(name, func(t *testing.T) {
			if variable, value, isSet := strings.Cut(tt.env, "="); isSet {
				t.Setenv(variable, value)
			}
			dir := filepath.Join(t.TempDir(), "data")
			t.Chdir(filepath.Dir(dir))
			t.Setenv("CLIENTSD_DATA_DIR", dir)
			t.Setenv("CLIENTSD_ADDR", "127.0.0.1:0")
			var out, errs bytes.Buffer
			code := command.Run(t.Context(), version, append([]string{"serve"}, tt.args...), &out, &errs)
			if code == 0 || out.Len() > 0 || !strings.Contains(errs.String(), tt.want) || strings.Contains(errs.String(), "serving") {
				t.Errorf("got exit code %d, want %q, got\n%s%s", code, tt.want, &out, &errs)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the data folder is there, error %v", err)
			}
			if _, err := os.Lstat(broken); err != nil {
				t.Errorf("it has taken away what was there: %v", err)
			}
			if made, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(made) != 1 {
				t.Errorf("it has made %v, error %v", made, err)
			}
		})
	}
}
