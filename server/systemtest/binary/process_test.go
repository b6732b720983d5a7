// Package binary_test runs the command line as a person does, and its server in a
// process that can be killed: backup, restore, crash, flags and exit codes.
//
// It knows flags, files and answers only. It needs nothing but Go and gcc.
package binary_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

const (
	// asProgram is the variable that makes the test binary the program, for tests
	// that need a process to kill.
	asProgram = "CLIENTSD_TEST_AS_PROGRAM"

	// version is the version that the program says it has.
	version = "1.2.3"

	day  = 24 * time.Hour
	year = 365 * day
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(command.Main(version))
	}
	os.Exit(m.Run())
}

// A process is a server in a process of its own.
type process struct {
	*servertest.Server

	cmd   *exec.Cmd
	token string
}

// startProcess returns once the server has logged where it serves. Flags are
// given to serve.
func startProcess(t *testing.T, dir string, flags ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "--addr", "127.0.0.1:0", "--data-dir", dir}, flags...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	p := startServe(t, dir, cmd)
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), version, []string{
		"token", "--data-dir", dir, "--scope", strings.Join(servertest.All, " "),
	}, &out, &errs); code != 0 {
		t.Fatalf("token: exit code %d: %s", code, &errs)
	}
	p.token = strings.TrimSpace(out.String())
	return p
}

// startServe starts a server that is described by its command. It has no token yet.
func startServe(t *testing.T, dir string, cmd *exec.Cmd) *process {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // in case the test has failed before its end
	p := &process{Server: &servertest.Server{Dir: dir, Logs: &servertest.Logs{}}, cmd: cmd}
	kept := io.TeeReader(stderr, p.Logs)
	for logs := json.NewDecoder(kept); p.URL == ""; {
		var line struct{ Msg, URL string }
		if err := logs.Decode(&line); err != nil {
			t.Fatal(err)
		}
		p.URL = line.URL
	}
	go io.Copy(io.Discard, kept) //nolint:errcheck // ends with the process
	return p
}

// waitForLog waits until the process has logged a text so many times.
func (p *process) waitForLog(t *testing.T, text string, times int) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); strings.Count(p.Logs.String(), text) < times; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%q is not %d times in the log:\n%s", text, times, p.Logs)
		}
	}
}

func (p *process) clients() apiv1connect.ClientsServiceClient {
	return p.Clients(servertest.Protocols()[0], p.token)
}

// A history is every secret of one client, in order: that of version n is at
// n-1.
type history struct {
	id      string
	secrets []string
}

// rotateUntilGone goes on until the server does not answer any more.
func (h *history) rotateUntilGone(t *testing.T, p *process, rotations *atomic.Int64) {
	t.Helper()
	for {
		answer, err := p.clients().RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: h.id, IncludeSecret: true})
		if err != nil {
			return
		}
		h.secrets = append(h.secrets, answer.GetClientSecret())
		rotations.Add(1)
	}
}

// wantKept fails the test unless the last secret that was answered is current
// or, if the answer to one more rotation was lost with the process, the one
// before it; and unless every earlier one is refused.
func (h *history) wantKept(t *testing.T, p *process) {
	t.Helper()
	read, err := p.clients().GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: h.id, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	if current := read.GetClient().GetClientSecret(); current != h.secrets[len(h.secrets)-1] {
		h.secrets = append(h.secrets, current)
	}
	secrets := p.Secrets(servertest.Protocols()[0], p.token)
	for i, secret := range h.secrets {
		got, err := secrets.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: h.id, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		version := int64(0)
		if i == len(h.secrets)-1 {
			version = int64(len(h.secrets))
		}
		if got.GetSecretVersion() != version || got.GetValid() != (version > 0) {
			t.Errorf("secret %d of %d: got %v", i+1, len(h.secrets), got)
		}
	}
}

// What was answered must be true after the process was killed at any moment.
func TestServe_KilledUnderLoad(t *testing.T) {
	const callers, rounds, each = 4, 3, 40
	dir := t.TempDir()
	p := startProcess(t, dir)
	histories := make([]*history, callers)
	for i := range histories {
		made, err := p.clients().CreateClient(t.Context(), servertest.Request())
		if err != nil {
			t.Fatal(err)
		}
		histories[i] = &history{made.GetClient().GetClientId(), []string{made.GetClient().GetClientSecret()}}
	}
	for range rounds {
		var rotations atomic.Int64
		var group sync.WaitGroup
		for _, h := range histories {
			group.Go(func() { h.rotateUntilGone(t, p, &rotations) })
		}
		for rotations.Load() < each {
			time.Sleep(time.Millisecond)
		}
		p.kill(t)
		group.Wait()
		p = startProcess(t, dir)
		for _, h := range histories {
			h.wantKept(t, p)
		}
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it has not ended well
}

func TestServe_SIGTERM(t *testing.T) {
	p := startProcess(t, t.TempDir())
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
}
