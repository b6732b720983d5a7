package servertest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// MaxMessage is how large a request may be, in bytes. A logo may be larger.
const MaxMessage = 64 << 10

// PaddedJSON returns a JSON object of this many bytes that no request knows.
func PaddedJSON(size int) []byte {
	const frame = `{"x":""}`
	return []byte(frame[:6] + strings.Repeat("x", size-len(frame)) + frame[6:])
}

// JSONType is a line of header for RawPost.
const JSONType = "Content-Type: application/json"

// RawPost returns the text of a POST request with these lines of header, for Send.
// It leaves out empty lines.
func RawPost(target, body string, header ...string) string {
	var request strings.Builder
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: clients.example.com\r\nConnection: close\r\nContent-Length: %d\r\n", target, len(body))
	for _, line := range header {
		if line != "" {
			request.WriteString(line + "\r\n")
		}
	}
	return request.String() + "\r\n" + body
}

// answerWithin keeps a test from waiting for ever. It does not say how fast an
// answer should be.
const answerWithin = time.Minute

// leaks matches what no answer may hold: a stack, SQL, or a path of the code.
var leaks = regexp.MustCompile(`(?i)goroutine|\.go:\d|panic|sqlite|postgres|SQLSTATE|SELECT |UPDATE .* SET|INSERT |database is|/server/|no such table`)

// A Reply is an answer as it came over HTTP.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Send writes the text of a request to the server and reads the answer.
func (s *Server) Send(t testing.TB, request string) Reply {
	t.Helper()
	return s.exchange(t, request, false)
}

// SendAndEnd sends a request that is shorter than it says: it ends the
// sending half of the connection, so that the server does not wait for the rest.
func (s *Server) SendAndEnd(t testing.TB, request string) Reply {
	t.Helper()
	return s.exchange(t, request, true)
}

func (s *Server) exchange(t testing.TB, request string, end bool) Reply {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the answer was read
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	// The server may answer and hang up before it has read everything.
	_, _ = io.WriteString(conn, request)
	if tcp, ok := conn.(*net.TCPConn); ok && end {
		_ = tcp.CloseWrite()
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %.200q: %v", request, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s to %.200q: read answer: %v", response.Status, request, err)
	}
	return Reply{response.StatusCode, response.Header, string(body)}
}

var anySecret = regexp.MustCompile(`sk_live_[0-9A-Za-z]{49}`)

// WantNoLeak fails the test if an answer shows the inside of the server.
func WantNoLeak(t testing.TB, got Reply) {
	t.Helper()
	// The random letters of a secret may spell a word.
	if found := leaks.FindString(anySecret.ReplaceAllString(got.Body, "")); found != "" {
		t.Errorf("the answer holds %q: %s", found, got.Body)
	}
	for name, values := range got.Header {
		if found := leaks.FindString(strings.Join(values, " ")); found != "" {
			t.Errorf("the header %s holds %q: %s", name, found, values)
		}
	}
}

// WantCalm fails the test unless the server still answers and has logged neither an
// error nor a panic.
func (s *Server) WantCalm(t testing.TB) {
	t.Helper()
	if response, body := s.Get(t, "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("afterwards /readyz answers %s: %s", response.Status, body)
	}
	s.PostAs(t, "", ClientsPath+"GetPublicClients", `{"clientId": ["550e8400-e29b-41d4-a716-446655440000"]}`)
	for line := range strings.SplitSeq(s.Logs.String(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("the server has logged: %.2000s", line)
		}
	}
}

// Gzip returns data compressed with gzip.
func Gzip(t testing.TB, data []byte) []byte {
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
