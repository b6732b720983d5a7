package binary_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

var (
	// listedCommand matches a command in the list of clientsd --help.
	listedCommand = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*(?: [a-z-]+)?) {2,}`)
	// preformatted matches a line of a help text that is kept as it is.
	preformatted = regexp.MustCompile(`^    \S`)
	// runsUntilStopped matches what a command says that ends only with a signal.
	runsUntilStopped = regexp.MustCompile(`"msg":"serving"|runs until Ctrl-C`)
	// examplePort matches a port in an example, which the machine may use.
	examplePort = regexp.MustCompile(`((?:127\.0\.0\.1|0\.0\.0\.0):)\d+`)
)

// examples returns the commands of a help text, each a line for a shell.
func examples(text string) (found []string) {
	text, _, _ = strings.Cut(text, "\nFlags:")
	text = strings.ReplaceAll(text, " \\\n", " ")
	for line := range strings.Lines(text) {
		isCommand := strings.Contains(line, "clientsd ") || strings.HasPrefix(strings.TrimSpace(line), "cp ")
		if preformatted.MatchString(line) && isCommand {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// commandNames returns the names of all commands and groups, and the empty one.
func commandNames(t *testing.T) []string {
	t.Helper()
	names := []string{"", "keyset"}
	for _, match := range listedCommand.FindAllStringSubmatch(help(t, ""), -1) {
		names = append(names, match[1])
	}
	return names
}

func TestHelp_FitsATerminal(t *testing.T) {
	for _, name := range commandNames(t) {
		for line := range strings.Lines(help(t, name)) {
			if len(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("clientsd %s --help: wider than 80 columns: %s", name, line)
			}
		}
	}
}

// Each example of --help does what it says, as it stands there. Only ports, and names
// of hosts and folders elsewhere, are others.
func TestHelp_ExamplesRun(t *testing.T) {
	total := 0
	for _, name := range commandNames(t) {
		found := examples(help(t, name))
		total += len(found)
		t.Run("clientsd "+name, func(t *testing.T) {
			p := newPlace(t, name)
			for _, example := range found {
				t.Run(example, func(t *testing.T) { p.run(t, example) })
			}
		})
	}
	if total < 30 {
		t.Errorf("found %d examples", total)
	}
}

// A place is where examples run: a folder with what they expect.
type place struct {
	dir     string
	replace *strings.Replacer
}

// newPlace makes the folder for the examples of a command: the data of a server that
// has run, a certificate, and a backup with its keyset.
func newPlace(t *testing.T, name string) place {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "clientsd-data")
	server := startProcess(t, data)
	if name != "healthcheck" {
		server.kill(t)
	}
	cert := servertest.NewCertificate(t, year, 60*day)
	backups, elsewhere := filepath.Join(dir, "backups"), filepath.Join(dir, "elsewhere")
	err := errors.Join(
		os.Mkdir(backups, 0o700), os.Mkdir(elsewhere, 0o700),
		os.Rename(cert.CertFile, filepath.Join(dir, "cert.pem")), os.Rename(cert.KeyFile, filepath.Join(dir, "key.pem")),
		os.Symlink(os.Args[0], filepath.Join(dir, "clientsd")),
	)
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(data, "keyset.json"), filepath.Join(elsewhere, "keyset.json"))
	if name == "restore" {
		do(t, "backup", filepath.Join(backups, "clientsd-2026-11-21.db"), "--data-dir", data)
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	database := ""
	if storagetest.IsPostgres() {
		database = string(storagetest.Postgres(t).URL)
		copyFile(t, filepath.Join(elsewhere, "keyset.json"), filepath.Join(dir, "keyset.json"))
		if name != "migrate" {
			do(t, "migrate", "--database-url", database, "--keyset", filepath.Join(dir, "keyset.json"))
		}
	}
	issuer := authtest.NewIssuer(t, authtest.NewKey(t, "key-1"))
	return place{dir, strings.NewReplacer(
		"http://127.0.0.1:8080", server.URL,
		"https://login.example.com", issuer.URL,
		"https://acme.eu.auth0.com/", issuer.URL,
		"postgres://clientsd@db.example.com/clientsd", "'"+database+"'",
		"/backups", backups,
		"/another/place", elsewhere,
	)}
}

func (p place) run(t *testing.T, example string) {
	t.Helper()
	if strings.Contains(example, "postgres://") && !storagetest.IsPostgres() {
		t.Skip("needs PostgreSQL")
	}
	if strings.Contains(example, "keyset create") {
		if err := os.RemoveAll(filepath.Join(p.dir, "keyset.json")); err != nil {
			t.Fatal(err)
		}
	}
	// No command then waits for servers that use the keyset as it was.
	_ = os.Chtimes(filepath.Join(p.dir, "clientsd-data", "keyset.json"), time.Time{}, time.Now().Add(-time.Minute))
	line := p.replace.Replace(example)
	if !strings.Contains(line, "healthcheck") {
		line = examplePort.ReplaceAllString(line, "${1}0")
	}
	// With a trap, the shell waits for the command and has its exit code.
	shell := exec.CommandContext(t.Context(), "sh", "-c", "trap : TERM\n"+line)
	shell.Dir = p.dir
	shell.Env = append(os.Environ(), asProgram+"=1", "PATH="+p.dir+":"+os.Getenv("PATH"), "CLIENTSD_ADDR=127.0.0.1:0")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output := &stopper{stop: func() { _ = syscall.Kill(-shell.Process.Pid, syscall.SIGTERM) }}
	shell.Stdout, shell.Stderr = output, output
	if err := shell.Run(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, &output.said)
	}
}

// A stopper keeps what a command says, and stops it once it serves.
type stopper struct {
	said bytes.Buffer // not embedded: its ReadFrom would come before Write
	stop func()
}

// Write implements io.Writer.
func (s *stopper) Write(p []byte) (int, error) {
	if runsUntilStopped.Match(p) {
		s.stop()
	}
	return s.said.Write(p)
}
