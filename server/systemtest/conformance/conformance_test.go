// Package conformance_test runs the conformance suite of the Connect project
// against the server's protocol stack: what Connect, gRPC and gRPC-Web ask of a
// server, over HTTP/1.1 and HTTP/2, in protobuf and JSON, with and without gzip.
//
// It owns the service that the suite calls, the server that its runner starts, and
// config.yaml, which says what the server does not offer and why. It must not know
// the server's own APIs: the service stands behind server/transport as they do.
//
// It is a module of its own, because the runner brings dependencies that the
// server has no use for:
//
//	go test -C server/systemtest/conformance -count=1
package conformance_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

const (
	// cases is how many cases the suite has for config.yaml.
	cases = "1407"
	// timeout bounds the run, and the life of each server that it starts.
	timeout = 3 * time.Minute
)

// summary is the end of the runner's output.
var summary = regexp.MustCompile(`Total cases: (\d+)\n(\d+) passed, 0 failed\n`)

var serve = flag.Bool("serve", false, "be a server for the runner of the suite")

func TestConformance(t *testing.T) {
	if *serve {
		serveSuite(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	server := []string{os.Args[0], "-test.run", "^TestConformance$", "-test.timeout", timeout.String(), "-serve"}
	runner := exec.CommandContext(ctx, "go", append([]string{
		"tool", "connectconformance", "--mode", "server", "--conf", "config.yaml", "-v", "--",
	}, server...)...)
	runner.Cancel = func() error { return runner.Process.Signal(os.Interrupt) } // go passes it on
	runner.WaitDelay = 10 * time.Second
	out, err := runner.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if found := summary.FindSubmatch(out); found == nil || string(found[1]) != cases || string(found[2]) != cases {
		t.Errorf("want %s cases, all of which passed", cases)
	}
}
