package commandline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"

	"connectrpc.com/connect"
)

// A tool calls a procedure from the command line: the name of the procedure,
// the token and the request in JSON go in, JSON comes out.
type tool struct {
	name, program string
	args          func(s *service, token, procedure, request string) []string
}

func tools() []tool {
	return []tool{
		{"curl", "curl", curl},
		{"grpcurl", "grpcurl", grpcurl},
		{"buf curl over Connect", "buf", bufCurl("connect")},
		{"buf curl over gRPC", "buf", bufCurl("grpc")},
		{"buf curl over gRPC-Web", "buf", bufCurl("grpcweb")},
	}
}

// eachTool runs body once for each tool.
func eachTool(t *testing.T, body func(*testing.T, tool)) {
	t.Helper()
	for _, use := range tools() {
		t.Run(use.name, func(t *testing.T) { body(t, use) })
	}
}

// curl has the shape of the example in the contract's reference.
func curl(s *service, token, procedure, request string) []string {
	return append(bearer(token), "-sS", "--fail-with-body", "-X", "POST", s.url+"/"+procedure,
		"-H", "Connect-Protocol-Version: 1", "-H", "Content-Type: application/json", "-d", request)
}

func grpcurl(s *service, token, procedure, request string) []string {
	return append(bearer(token), "-plaintext", "-format-error", "-d", request, s.host(), procedure)
}

func bufCurl(protocol string) func(s *service, token, procedure, request string) []string {
	return func(s *service, token, procedure, request string) []string {
		return append([]string{"curl", "--protocol", protocol, "--http2-prior-knowledge", "-d", request, s.url + "/" + procedure},
			bearer(token)...)
	}
}

// bearer is the header with the token, as all the tools take it. An empty token
// sends none.
func bearer(token string) []string {
	if token == "" {
		return nil
	}
	return []string{"-H", "Authorization: Bearer " + token}
}

// A failure is the error that a tool reports. It is zero after a success.
type failure struct {
	Code    connect.Code
	Message string
}

// call runs the tool and returns what it printed: the answer, or the failure.
func (use tool) call(t *testing.T, s *service, token, procedure, request string) (map[string]any, failure) {
	t.Helper()
	command := exec.CommandContext(t.Context(), use.program, use.args(s, token, procedure, request)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return object(t, stdout.Bytes()), failure{}
	case !errors.As(err, &exit):
		t.Fatal(err)
	case stdout.Len() == 0:
		stdout = stderr // curl alone prints errors to standard output
	}
	return nil, failureOf(t, object(t, stdout.Bytes()))
}

// mustCall fails the test if the call does.
func (use tool) mustCall(t *testing.T, s *service, token, procedure, request string) map[string]any {
	t.Helper()
	answer, failed := use.call(t, s, token, procedure, request)
	if failed != (failure{}) {
		t.Fatalf("%s: %v: %s", procedure, failed.Code, failed.Message)
	}
	return answer
}

// failureOf reads a code by its name or, as in a google.rpc.Status, its number.
func failureOf(t *testing.T, report map[string]any) failure {
	t.Helper()
	message, _ := report["message"].(string) // an empty one fails its test
	switch code := report["code"].(type) {
	case float64:
		return failure{connect.Code(code), message}
	case string:
		var named connect.Code
		if err := named.UnmarshalText([]byte(code)); err != nil {
			t.Fatal(err)
		}
		return failure{named, message}
	default:
		t.Fatalf("no code in the error %v", report)
		return failure{}
	}
}

func object(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("not a JSON object: %v: %s", err, text)
	}
	return value
}
