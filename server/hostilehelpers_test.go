package server_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"clientsd/server/servertest"
)

// answerWithin keeps a test from waiting for ever. It says nothing of how fast
// an answer should be.
const answerWithin = time.Minute

// leaks are what no answer may hold: a stack, SQL, or where the code lies.
var leaks = regexp.MustCompile(`(?i)goroutine|\.go:\d|panic|sqlite|postgres|SQLSTATE|SELECT |UPDATE .* SET|INSERT |database is|/server/|no such table`)

// reply is an answer as it came, over whatever protocol.
type reply struct {
	status int
	header http.Header
	body   string
}

// send writes a request to the server as it stands, and reads the answer.
func send(t testing.TB, s *servertest.Server, request string) reply {
	t.Helper()
	return exchange(t, s, request, false)
}

// sendAndEnd is send for a request that promises more than it holds: nothing
// follows, so that the server need not wait for it.
func sendAndEnd(t testing.TB, s *servertest.Server, request string) reply {
	t.Helper()
	return exchange(t, s, request, true)
}

func exchange(t testing.TB, s *servertest.Server, request string, end bool) reply {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	// The server may answer and hang up before it has read everything.
	_, _ = io.WriteString(conn, request)
	if tcp, ok := conn.(*net.TCPConn); ok && end {
		_ = tcp.CloseWrite()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %.200q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s to %.200q: read answer: %v", response.Status, request, err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

var anySecret = regexp.MustCompile(`sk_live_[0-9A-Za-z]{49}`)

// wantNoLeak fails the test if the answer is the server's fault or says what
// is nobody's business.
func wantNoLeak(t testing.TB, got reply) {
	t.Helper()
	// A secret is random letters, which now and then spell a word.
	if found := leaks.FindString(anySecret.ReplaceAllString(got.body, "")); found != "" {
		t.Errorf("the answer holds %q: %s", found, got.body)
	}
	for name, values := range got.header {
		if found := leaks.FindString(strings.Join(values, " ")); found != "" {
			t.Errorf("the header %s holds %q: %s", name, found, values)
		}
	}
}

// wantCalm fails the test unless the server still answers and has logged
// neither an error nor a panic.
func wantCalm(t testing.TB, s *servertest.Server) {
	t.Helper()
	if response, body := get(t, s, "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("afterwards /readyz answers %s: %s", response.Status, body)
	}
	postAs(t, s, "", clientsService+"GetPublicClients", `{"clientId": ["550e8400-e29b-41d4-a716-446655440000"]}`)
	for line := range strings.SplitSeq(s.Logs.String(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("the server has logged: %.2000s", line)
		}
	}
}

// rawText is a field of a message with any bytes as its text.
func rawText(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}

// zip compresses with gzip.
func zip(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
