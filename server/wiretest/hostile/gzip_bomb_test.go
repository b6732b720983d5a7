package hostile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"clientsd/server/servertest"
)

const (
	healthCheck = "/grpc.health.v1.Health/Check"
	reflection  = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

	// overLimit says that inflating stopped where the message was over its
	// limit. Connect's own words come after it has inflated everything.
	overLimit = "inflated message is over its size limit"
	// maxCost is how much a bomb may allocate, in bytes, client and all: half of
	// what is in it. To hold a logo takes a few times its size.
	maxCost = 32 << 20
)

// bomb is gzip of 60 MiB, in less than 64 KiB: the same member over and over.
func bomb(t *testing.T) []byte {
	t.Helper()
	data := bytes.Repeat(servertest.Gzip(t, make([]byte, 1<<20)), 60)
	if len(data) > servertest.MaxMessage {
		t.Fatalf("the bomb has %d bytes and is over the limit itself", len(data))
	}
	return data
}

// What a bomb costs is what the whole process allocates: this test runs beside
// no other.
func TestGzipBomb_OfACallWithoutAccess(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	bomb := bomb(t)
	for _, tt := range []struct {
		name, procedure, token string
		code                   connect.Code
		words                  string
	}{
		{"with a token", servertest.ClientsPath + "GetClient", token, connect.CodeResourceExhausted, overLimit},
		{"with a token without a scope", servertest.ClientsPath + "GetClient", s.Token(t), connect.CodeResourceExhausted, overLimit},
		{"with a token, as a logo", servertest.ClientsPath + "UploadClientLogo", token, connect.CodeResourceExhausted, overLimit},
		{"without a token", servertest.ClientsPath + "GetClient", "", connect.CodeUnauthenticated, servertest.NoToken},
		{"with a bad token", servertest.ClientsPath + "GetClient", "bad", connect.CodeUnauthenticated, servertest.MalformedToken},
		{"where none is needed", publicClients, "", connect.CodeResourceExhausted, overLimit},
		{"as a health check", healthCheck, "", connect.CodeResourceExhausted, overLimit},
	} {
		for name, send := range map[string]func() rpcStatus{
			"Connect": func() rpcStatus { return sendBomb(t, s, tt.procedure, tt.token, bomb) },
			"gRPC": func() rpcStatus {
				return sendFrames(t, s, tt.procedure, grpcType, bombHeader(tt.token), frame(1, bomb))
			},
			"gRPC-Web": func() rpcStatus {
				return sendFrames(t, s, tt.procedure, grpcWebType, bombHeader(tt.token), frame(1, bomb))
			},
		} {
			got := costOf(t, tt.name+" over "+name, send)
			if got.code != tt.code || !strings.Contains(got.message, tt.words) {
				t.Errorf("%s over %s: got %v: %s\nwant %v: … %s", tt.name, name, got.code, got.message, tt.code, tt.words)
			}
		}
	}
	s.WantCalm(t)
}

// The same, and as alone: a stream, a query, and a list that is small only until
// one looks at each element.
func TestGzipBomb_OutsideOurProcedures(t *testing.T) {
	s := servertest.Start(t)
	bomb := bomb(t)
	got := costOf(t, "reflection over gRPC", func() rpcStatus {
		return sendFrames(t, s, reflection, grpcType, bombHeader(""), frame(1, bomb))
	})
	if got.code != connect.CodeResourceExhausted || !strings.Contains(got.message, overLimit) {
		t.Errorf("reflection: got %v: %s", got.code, got.message)
	}
	query := "?connect=v1&encoding=json&base64=1&compression=gzip&message=" + base64.RawURLEncoding.EncodeToString(bomb[:10<<10])
	got = costOf(t, "in a query", func() rpcStatus {
		response, body := s.Get(t, publicClients+query)
		return connectStatus(t, response, body)
	})
	if got.code != connect.CodeResourceExhausted || !strings.Contains(got.message, overLimit) {
		t.Errorf("in a query: got %v: %s", got.code, got.message)
	}
	many := bytes.Repeat([]byte{0x0a, 0x00}, servertest.MaxMessage/2) // a list of empty ids
	got = costOf(t, "a list of 32,768 ids", func() rpcStatus { return sendFrames(t, s, publicClients, grpcWebType, nil, frame(0, many)) })
	if got.code != connect.CodeInvalidArgument || len(got.message) > 200 {
		t.Errorf("a list of 32,768 ids: got %v: %.500s", got.code, got.message)
	}
	s.WantCalm(t)
}

// costOf makes a call a few times and fails the test if each allocates more than
// it may. The CPU is told, not judged.
func costOf(t *testing.T, name string, call func() rpcStatus) (got rpcStatus) {
	t.Helper()
	const calls = 4
	call() // what is made once, such as a connection, is not its cost
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime(t)
	for range calls {
		got = call()
	}
	spent := cpuTime(t) - start
	runtime.ReadMemStats(&after)
	cost := (after.TotalAlloc - before.TotalAlloc) / calls
	t.Logf("%s: %v of CPU and %d KiB for each call", name, (spent / calls).Round(time.Microsecond), cost>>10)
	if cost > maxCost {
		t.Errorf("%s: each call allocates %d KiB, which is more than %d", name, cost>>10, maxCost>>10)
	}
	return got
}

// cpuTime is what the process has used, in user and system mode.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func bombHeader(token string) map[string]string {
	header := map[string]string{"Grpc-Encoding": "gzip"}
	if token != "" {
		header["Authorization"] = "Bearer " + token
	}
	return header
}

func sendBomb(t *testing.T, s *servertest.Server, procedure, token string, bomb []byte) rpcStatus {
	t.Helper()
	request := s.NewRequest(t, procedure, token, bytes.NewReader(bomb))
	request.Header.Set("Content-Encoding", "gzip")
	response, body := servertest.Do(t, request)
	return connectStatus(t, response, body)
}

// connectStatus reads an error of the Connect protocol.
func connectStatus(t *testing.T, response *http.Response, body []byte) rpcStatus {
	t.Helper()
	servertest.WantNoLeak(t, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)})
	var refusal struct {
		Code    connect.Code
		Message string
	}
	if err := json.Unmarshal(body, &refusal); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return rpcStatus{refusal.Code, refusal.Message}
}
