package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A contender makes so many calls and says how long they took.
type contender func(b *testing.B, calls int) time.Duration

// turns is in how many slices a contest goes, and fewTurns if the yardstick is a
// process that must start each time.
const (
	turns    = 20
	fewTurns = 3
)

// contest measures a subject and its yardstick in turn, a slice of the one after a
// slice of the other: whatever else the machine does meanwhile meets both. The
// metric is the ratio of their rates.
func contest(b *testing.B, turns int, metric string, subject, yardstick contender) {
	b.Helper()
	var own, other time.Duration
	b.ResetTimer() // -benchtime is that of the subject
	for left, turn := b.N, min(turns, b.N); turn > 0; turn-- {
		slice := left / turn
		left -= slice
		own += subject(b, slice)
		b.StopTimer()
		other += yardstick(b, slice)
		b.StartTimer()
	}
	report(b, own)
	b.ReportMetric(float64(b.N)/other.Seconds(), "other/s")
	b.ReportMetric(other.Seconds()/own.Seconds(), metric)
}

// alone measures a subject that has no yardstick.
func alone(b *testing.B, subject contender) {
	b.Helper()
	b.ResetTimer()
	report(b, subject(b, b.N))
}

// report says how long the b.N calls of the subject took, without what else the
// benchmark did.
func report(b *testing.B, took time.Duration) {
	b.Helper()
	b.ReportMetric(float64(b.N)/took.Seconds(), "calls/s")
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
}

// A benchConn is a connection that waits for each answer before the next request.
// It costs little beside the server, with which it shares the processors.
type benchConn struct {
	net.Conn

	answers *bufio.Reader
}

func (c benchConn) call(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s (%w)", response.Status, body, err)
	}
	return nil
}

// newCaller makes a contender that goes round the requests over so many
// concurrent connections, which stay open between its turns.
func newCaller(b *testing.B, url string, connections int, requests [][]byte) contender {
	b.Helper()
	conns := make([]benchConn, connections)
	for i := range conns {
		conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() }) // every answer has been read
		conns[i] = benchConn{conn, bufio.NewReader(conn)}
	}
	var next atomic.Int64
	return func(b *testing.B, calls int) time.Duration {
		b.Helper()
		began, end := time.Now(), next.Load()+int64(calls)
		var workers sync.WaitGroup
		for _, conn := range conns {
			workers.Go(func() {
				for i := next.Add(1); i <= end; i = next.Add(1) {
					if err := conn.call(requests[i%int64(len(requests))]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		workers.Wait()
		return time.Since(began)
	}
}
