// Package foreign_test runs the built binary and calls it with tools that know
// nothing of its code: curl, grpcurl and buf curl. It imports no package of
// clientsd. The binary and the tools are found on PATH, where `make foreign`
// puts them; one that is missing fails the tests.
package commandline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A service is the running binary.
type service struct {
	url     string
	dataDir string
}

// start runs the binary until the test ends. SIGTERM must end it well.
func start(t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	serve := exec.CommandContext(context.WithoutCancel(t.Context()), // the cleanup below ends it
		"clientsd", "serve", "--addr", "127.0.0.1:0", "--data-dir", dir, "--log-format", "json")
	stderr, err := serve.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatalf("start clientsd: %v", err)
	}
	logs := bufio.NewScanner(stderr)
	url, drained := servingURL(logs), make(chan struct{})
	go func() {
		defer close(drained)
		for logs.Scan() { // a full pipe would block the service
		}
	}()
	t.Cleanup(func() {
		_ = serve.Process.Signal(syscall.SIGTERM) // if it has gone, Wait tells
		<-drained
		if err := serve.Wait(); err != nil {
			t.Errorf("clientsd serve after SIGTERM: %v", err)
		}
	})
	if url == "" {
		t.Fatal("clientsd serve ended before it served")
	}
	return &service{url: url, dataDir: dir}
}

// servingURL reads the logs up to the line that says where the service is.
func servingURL(logs *bufio.Scanner) string {
	for logs.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(logs.Bytes(), &line) == nil && line.Msg == "serving" {
			return line.URL
		}
	}
	return ""
}

// host is the address without the scheme.
func (s *service) host() string { return strings.TrimPrefix(s.url, "http://") }

// token mints an access token as an operator would.
func (s *service) token(t *testing.T, scopes string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "clientsd", "token", "--data-dir", s.dataDir, "--scope", scopes).Output()
	if err != nil {
		t.Fatalf("clientsd token: %v", err)
	}
	return strings.TrimSpace(string(out))
}
