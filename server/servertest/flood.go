package servertest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A Flood is many requests that never end by themselves: their bodies do not come,
// or nobody reads the answers.
type Flood struct {
	mu       sync.Mutex
	statuses map[string]int // of the answers, by status
	answered int
}

// streamsPerConnection bounds the streams that the server allows on a connection.
const streamsPerConnection = 100

// Flood sends this many requests over HTTP/2, without the bodies they promise, and
// reads of the answers only the header. It ends with the test. The header of the
// requests is in pairs of name and value, in small letters.
func (s *Server) Flood(t testing.TB, requests int, method, path string, header ...string) *Flood {
	t.Helper()
	header = append([]string{":method", method, ":scheme", "http", ":authority", "clients.example.com", ":path", path}, header...)
	whole := method == http.MethodGet || slices.Contains(header, "0")
	flood := &Flood{statuses: map[string]int{}}
	for requests > 0 {
		flood.connect(t, s.Dial(t), min(requests, streamsPerConnection), header, whole)
		requests -= streamsPerConnection
	}
	return flood
}

// FloodHTTP1 sends this many requests over connections of their own, as they stand.
func (s *Server) FloodHTTP1(t testing.TB, requests int, text string) {
	t.Helper()
	for range requests {
		if _, err := io.WriteString(s.Dial(t), text); err != nil {
			t.Fatal(err)
		}
	}
}

// Dial opens a connection to the server, which is closed with the test and gives up
// reading after a minute.
func (s *Server) Dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(answerWithin))
	return conn
}

// connect sends requests over one connection, whose window for answers is shut.
func (f *Flood) connect(t testing.TB, conn net.Conn, requests int, header []string, whole bool) {
	t.Helper()
	out := bufio.NewWriter(conn)
	framer := http2.NewFramer(out, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	_, _ = out.WriteString(http2.ClientPreface) // an error stays until Flush
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range requests {
		block.Reset()
		for pair := 0; pair < len(header); pair += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: header[pair], Value: header[pair+1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: uint32(2*i + 1), BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: whole,
		})
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	go f.watch(framer)
}

func (f *Flood) watch(framer *http2.Framer) {
	seen := map[uint32]bool{} // streams with an answer
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		id, ends := frame.Header().StreamID, false
		f.mu.Lock()
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status := frame.PseudoValue("status")
			f.statuses[status]++
			ends = status != "100"
		case *http2.RSTStreamFrame:
			ends = true
		}
		if ends && !seen[id] {
			seen[id] = true
			f.answered++
		}
		f.mu.Unlock()
	}
}

// Answered returns how many requests the server has begun to answer, or has ended.
func (f *Flood) Answered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered
}

// Answers returns how many answers have begun with this status.
func (f *Flood) Answers(status string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.statuses[status]
}

// Eventually waits until holds returns true, or fails the test.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(answerWithin); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}
