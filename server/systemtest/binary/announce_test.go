package binary_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"clientsd/server/auth/authtest"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

// variable matches a variable in a help text.
var variable = regexp.MustCompile(`CLIENTSD_[A-Z_]+`)

// line holds the fields that a start logs about itself.
type line struct {
	Msg, URL, Version, Database, Command string
	Clients                              *int
}

// logged returns the line with a field that a test looks for.
func (p *process) logged(t *testing.T, has func(line) bool) line {
	t.Helper()
	for text := range strings.Lines(p.Logs.String()) {
		var found line
		if err := json.Unmarshal([]byte(text), &found); err == nil && has(found) {
			return found
		}
	}
	t.Fatalf("no such line:\n%s", p.Logs)
	return line{}
}

// paste runs the command that a start has logged, in a shell that knows nothing of the
// server's folder.
func (p *process) paste(t *testing.T) string {
	t.Helper()
	p.waitForLog(t, `"command":`, 1)
	shell := exec.CommandContext(t.Context(), "sh", "-c", p.logged(t, func(l line) bool { return l.Command != "" }).Command)
	shell.Dir, shell.Env = t.TempDir(), append(os.Environ(), asProgram+"=1")
	shell.Stderr = t.Output()
	output, err := shell.Output()
	if err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	return strings.TrimSpace(string(output))
}

func TestServe_SaysWhatItServes(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	isServing := func(l line) bool { return l.Msg == "serving" }
	path := filepath.Join(dir, "clientsd.db")
	if got := p.logged(t, isServing); got.URL != p.URL || got.Version != version || got.Database != path || got.Clients == nil || *got.Clients != 0 {
		t.Errorf("got %+v", got)
	}
	p.register(t)
	p.register(t)
	p.kill(t)
	again := startProcess(t, dir)
	if got := again.logged(t, isServing); got.Database != path || got.Clients == nil || *got.Clients != 2 {
		t.Errorf("again: got %+v", got)
	}
}

func TestServe_CommandToPasteMintsAToken(t *testing.T) {
	for name, flags := range map[string][]string{
		"as it is":               nil,
		"of another audience":    {"--audience", "https://clients.example.com"},
		"only for organisations": {"--require-organisation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			p := startProcess(t, `a folder, the owner's "own"`, flags...)
			if response, answer := p.PostJSON(t, servertest.ClientsPath+"ListClients", p.paste(t), "{}"); response.StatusCode != http.StatusOK {
				t.Errorf("got %s: %s", response.Status, answer)
			}
		})
	}
}

func TestServe_CommandToPasteAsksForTheKeysOfAnIssuer(t *testing.T) {
	issuer := authtest.NewIssuer(t, authtest.NewKey(t, "key-1"))
	p := startProcess(t, t.TempDir(), "--issuer", issuer.URL, "--audience", "clients")
	for ready, _ := p.Get(t, "/readyz"); ready.StatusCode != http.StatusOK; ready, _ = p.Get(t, "/readyz") {
		time.Sleep(time.Millisecond) // until its keys are fetched
	}
	if got := p.paste(t); got != "ready" {
		t.Errorf("got %q", got)
	}
}

// What else a start or another command says about the environment.
func TestEnvironment_UnreadVariables(t *testing.T) {
	for entry, want := range map[string]string{
		"CLIENTSD_DATADIR=x":                     "nothing reads the variable CLIENTSD_DATADIR, did you mean CLIENTSD_DATA_DIR?",
		"CLIENTSD_PUBLIC_URI=x":                  "nothing reads the variable CLIENTSD_PUBLIC_URI, did you mean CLIENTSD_PUBLIC_URL?",
		"clientsd_addr=x":                        "nothing reads the variable clientsd_addr, did you mean CLIENTSD_ADDR?",
		"CLIENTSD_KEYSETS=x":                     "nothing reads the variable CLIENTSD_KEYSETS, did you mean CLIENTSD_KEYSET?",
		"CLIENTSD_COLOUR=x":                      "nothing reads the variable CLIENTSD_COLOUR: see clientsd serve --help",
		"CLIENTSD_METRICS_PORT=9464":             "nothing reads the variable CLIENTSD_METRICS_PORT, did you mean CLIENTSD_METRICS_ADDR?",
		"DATABASE_URL=postgres://db/clientsd":    "nothing reads the variable DATABASE_URL: to use PostgreSQL, set CLIENTSD_DATABASE_URL",
		"CLIENTSD_COLOUR=":                       "",
		"DATABASE_URL=":                          "",
		"CLIENTSD_HEALTHCHECK_TIMEOUT=3s":        "", // of another command
		"CLIENTSD_FACE=xeonr":                    "", // the old name
		"CLIENTSD_TOKEN=x":                       "", // of clients of the service
		"CLIENTSD_SERVER=https://x":              "",
		"CLIENTSD_PROFILE=x":                     "",
		"CLIENTSD_SERVICE_HOST=10.0.0.1":         "", // of Kubernetes
		"CLIENTSD_SERVICE_PORT_GRPC=8080":        "",
		"CLIENTSD_PORT=tcp://10.0.0.1:8080":      "",
		"CLIENTSD_PORT_8080_TCP_ADDR=10.0.0.1":   "",
		"CLIENTSD_METRICS_PORT=tcp://10.0.0.1:1": "",
		"CLIENTSD_METRICS_PORT_1_TCP_PROTO=tcp":  "",
		"CLIENTSD_METRICS_SERVICE_HOST=10.0.0.1": "",
		"CLIENTSD_METRICS_SERVICE_PORT=9464":     "",
	} {
		t.Run(entry, func(t *testing.T) {
			name, value, _ := strings.Cut(entry, "=")
			t.Setenv(name, value)
			var out, errs bytes.Buffer
			command.Run(t.Context(), version, []string{"serve", "--data-dir", t.TempDir(), "--addr", "nowhere"}, &out, &errs)
			logged := ""
			if text, _, isLogged := strings.Cut(errs.String(), "\n"); isLogged && strings.HasPrefix(text, "{") {
				logged = text
			}
			if want == "" && logged != "" || want != "" && !strings.Contains(logged, `"level":"WARN","msg":"`+want+`"`) {
				t.Errorf("serve: want %q, got %s", want, &errs)
			}
			errs.Reset()
			command.Run(t.Context(), version, []string{"keyset", "info", "--data-dir", t.TempDir()}, &out, &errs)
			if got, isWarned := strings.CutPrefix(errs.String(), "clientsd: warning: "); isWarned != (want != "") || !strings.HasPrefix(got, want) {
				t.Errorf("keyset info: want %q, got %s", want, &errs)
			}
			errs.Reset()
			command.Run(t.Context(), version, []string{"keyset", "info", "--no-such-flag"}, &out, &errs)
			if got := strings.HasPrefix(errs.String(), "clientsd: warning: "); got != (want != "" && name != "DATABASE_URL") {
				t.Errorf("keyset info --no-such-flag: got %s", &errs)
			}
		})
	}
}

func TestEnvironment_DatabaseURLIsSaidOfFilesOnly(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://db/clientsd")
	for args, want := range map[string]bool{
		"keyset info": true,
		"keyset info --database-url postgres://127.0.0.1:1/x": false,
		"version": false,
	} {
		var out, errs bytes.Buffer
		command.Run(t.Context(), version, strings.Fields(args), &out, &errs)
		if got := strings.Contains(errs.String(), "variable DATABASE_URL"); got != want {
			t.Errorf("%s: got %s", args, &errs)
		}
	}
}

// Compose files set variables to nothing.
func TestEnvironment_EmptyIsUnset(t *testing.T) {
	var help, out, errs bytes.Buffer
	command.Run(t.Context(), version, []string{"serve", "--help"}, &help, &errs)
	variables := variable.FindAllString(help.String(), -1)
	if len(variables) < 40 {
		t.Fatalf("found %v", variables)
	}
	for _, name := range append(variables, "CLIENTSD_FACE", "CLIENTSD_KEYSET") {
		t.Setenv(name, "")
	}
	code := command.Run(t.Context(), version, []string{"serve", "--addr", "nowhere"}, &out, &errs)
	if want := `clientsd: --addr "nowhere": must be host:port, such as 127.0.0.1:8080` + "\n"; code != 1 || errs.String() != want {
		t.Errorf("got exit code %d: %s", code, &errs)
	}
}
