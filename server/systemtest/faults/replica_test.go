//go:build linux

package faults_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

// startPatience bounds how long a replica may take to say that it serves.
const startPatience = 15 * time.Second

// A replica is a server in a process of its own, and those that follow it when
// it has ended.
type replica struct {
	name    string
	command []string // the program and its arguments
	env     []string // beside the environment of the test
	token   string   // of those who call it
	logs    servertest.Logs

	process *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	url     atomic.Value  // string: where it serves
	frozen  atomic.Bool
	freezes atomic.Int64 // how often it was
}

// launch starts a process and returns once it serves. If it does not, the error
// says what it has logged.
func (r *replica) launch(t *testing.T) error {
	t.Helper()
	process := exec.Command(r.command[0], r.command[1:]...)
	process.Env = environment(r.env)
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // in case the test is killed
	stderr, err := process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	serving, ended, logged := make(chan string, 1), make(chan struct{}), &strings.Builder{}
	go func() {
		defer close(ended)
		follow(io.TeeReader(stderr, io.MultiWriter(&r.logs, logged)), serving)
		_ = process.Wait() // how it has ended is in its state
	}()
	t.Cleanup(func() {
		_ = process.Process.Kill() // it has gone already, unless the test has failed
		<-ended
	})
	r.process, r.ended = process, ended
	select {
	case url := <-serving:
		r.url.Store(url)
		return nil
	case <-ended:
		return fmt.Errorf("ended with %v: %s", process.ProcessState, logged)
	case <-time.After(startPatience):
		return fmt.Errorf("does not serve after %v", startPatience)
	}
}

// follow reads a log to its end, and tells where the process serves when it
// says so.
func follow(log io.Reader, serving chan<- string) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			serving <- line.URL
		}
	}
	_, _ = io.Copy(io.Discard, log) // what is behind a line that is too long
}

// start is launch for a replica that must serve.
func (r *replica) start(t *testing.T) {
	t.Helper()
	if err := r.launch(t); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
}

// kill ends the process as a power cut would.
func (r *replica) kill(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGKILL)
	<-r.ended
}

// terminate asks the process to end, and fails the test unless it ends well.
func (r *replica) terminate(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGTERM)
	<-r.ended
	if !r.process.ProcessState.Success() {
		t.Errorf("%s: ended with %v", r.name, r.process.ProcessState)
	}
}

func (r *replica) freeze(t *testing.T) {
	t.Helper()
	r.frozen.Store(true)
	r.freezes.Add(1)
	r.signal(t, syscall.SIGSTOP)
}

func (r *replica) thaw(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGCONT)
	r.frozen.Store(false)
}

func (r *replica) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.process.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
}

// server is the replica for the generated clients.
func (r *replica) server() *servertest.Server {
	url, _ := r.url.Load().(string)
	return &servertest.Server{URL: url}
}

func (r *replica) clients() apiv1connect.ClientsServiceClient {
	return r.server().Clients(servertest.Protocols()[0], r.token)
}

func (r *replica) secrets() clientsdv1connect.SecretsServiceClient {
	return r.server().Secrets(servertest.Protocols()[0], r.token)
}
