//go:build linux

package faults_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clientsd/server/servertest"
)

// prefix is what every secret begins with.
const prefix = "sk_live_"

// A workshop has what all scenes are made with.
type workshop struct {
	program []string // the program, perhaps behind one that starts it
	cluster *cluster // PostgreSQL, for the faults that need one
}

// within is the workshop whose programs are started by another one.
func (w *workshop) within(starter ...string) *workshop {
	return &workshop{program: slices.Concat(starter, w.program), cluster: w.cluster}
}

// newWorkshop builds the program.
func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "clientsd")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binary, "clientsd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, output)
	}
	return &workshop{program: []string{binary}}
}

// run runs a command of the program to its end, and returns what it prints.
func (w *workshop) run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	args = slices.Concat(w.program, args)
	command := exec.CommandContext(t.Context(), args[0], args[1:]...)
	command.Env = environment(env)
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.TrimSpace(string(output))
}

// environment is that of the test with some variables more, but without those
// that say how to run a clientsd of somebody else.
func environment(more []string) []string {
	others := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "CLIENTSD_") })
	return append(others, more...)
}

// replica is a server that is not started yet.
func (w *workshop) replica(name string, env []string, flags ...string) *replica {
	return &replica{
		name: name,
		env:  env,
		command: slices.Concat(w.program, []string{
			"serve", "--addr", "127.0.0.1:0", "--log-format", "json", "--log-level", "debug",
			"--failure-rate", "1000000", "--secret-prefix", prefix,
		}, flags),
	}
}

// token mints an access token that outlives the test.
func (w *workshop) token(t *testing.T, env []string, flags ...string) string {
	t.Helper()
	return w.run(t, env, append([]string{"token", "--ttl", "24h", "--scope", strings.Join(servertest.All, " ")}, flags...)...)
}

// need ends the test if the machine lacks what the fault needs: CI must have it.
func need(t *testing.T, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is needed: %v", what, err)
	default:
		t.Skipf("%s is needed: %v", what, err)
	}
}
