//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
)

var soak = flag.Duration("soak", 0, "how long to watch the memory of a server under mixed load; 0: not at all")

const (
	// soakClients and soakCallers are the load of a soak.
	soakClients, soakCallers = 100, 8
	// soakWindows is into how many parts a soak is divided: the first two are for
	// caches to fill, and then each is compared with the third.
	soakWindows = 10
	// soakGrowth is how much more memory than in the third the last part may take.
	soakGrowth = 1.05
	// soakSample is how often the memory is read.
	soakSample = 250 * time.Millisecond
)

// TestMemory_StaysFlat lets callers rotate, verify, read and list for -soak, and
// prints how much memory the server has meanwhile.
func TestMemory_StaysFlat(t *testing.T) {
	if *soak == 0 {
		t.Skip("-soak says how long: go test -C server/systemtest/faults -run Memory -v -timeout 30m -args -soak 10m")
	}
	s := newSQLite(t, newWorkshop(t), &row{lost: map[string]struct{}{}})
	time.Sleep(time.Second) // idle
	fmt.Printf("idle: %.1f MB\n", s.replicas[0].megabytes(t))
	l := s.load(t, soakClients, soakCallers)
	l.callers.Go(func() { l.read(t) })
	var windows [soakWindows]float64
	for i := range windows {
		windows[i] = s.replicas[0].average(t, *soak/soakWindows)
		fmt.Printf("part %2d of %d: %.1f MB, %d rotations acknowledged so far\n", i+1, soakWindows, windows[i], l.acknowledged.Load())
	}
	l.end()
	if last := windows[soakWindows-1]; last > windows[2]*soakGrowth {
		t.Errorf("the memory has grown from %.1f to %.1f MB", windows[2], last)
	}
}

// read reads and lists until the load ends.
func (l *load) read(t *testing.T) {
	clients := l.scene.replicas[0].clients()
	for i := 0; !l.isOver(); i++ {
		h := l.histories[i%len(l.histories)]
		l.ask(t, l.scene.replicas[0], false, func(ctx context.Context) error {
			_, err := clients.GetClient(ctx, &apiv1.GetClientRequest{ClientId: h.clientID, IncludeSecret: i%2 == 0})
			return err
		})
		if i%soakClients == 0 {
			l.ask(t, l.scene.replicas[0], false, func(ctx context.Context) error {
				_, err := clients.ListClients(ctx, &apiv1.ListClientsRequest{})
				return err
			})
		}
	}
}

// average is the memory over a time.
func (r *replica) average(t *testing.T, over time.Duration) float64 {
	t.Helper()
	sum, n := 0.0, 0
	for end := time.Now().Add(over); n == 0 || time.Now().Before(end); n++ {
		sum += r.megabytes(t)
		time.Sleep(soakSample)
	}
	return sum / float64(n)
}

// megabytes is the resident memory of the process.
func (r *replica) megabytes(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		t.Fatalf("%s", status)
	}
	kilobytes, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		t.Fatal(err)
	}
	return float64(kilobytes) / 1000
}
