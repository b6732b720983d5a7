//go:build linux

package faults_test

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// A row is what has come of a fault. It is safe for concurrent use.
type row struct {
	name   string
	cycles int

	mu           sync.Mutex
	acknowledged int
	lost         map[string]struct{} // the calls whose rotations are
	oldAccepted  int                 // how often that was seen
	worst        time.Duration       // the longest that an answer took
	back         time.Duration       // the longest until the service was back
}

// answered takes note of how long an answer took.
func (r *row) answered(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.worst = max(r.worst, took)
}

// returned takes note of how long it took until the service was back.
func (r *row) returned(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.back = max(r.back, took)
}

// judged adds what was found out about a client.
func (r *row) judged(j verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range j.lost {
		r.lost[id] = struct{}{}
	}
	r.oldAccepted += j.oldAccepted
}

var headings = fmt.Sprintf("%-56s %6s %12s %9s %10s %4s %12s",
	"fault", "cycles", "acknowledged", "worst, ms", "back, ms", "lost", "old accepted")

// String is the row of the table below the headings.
func (r *row) String() string {
	return fmt.Sprintf("%-56s %6d %12d %9s %10s %4d %12d",
		r.name, r.cycles, r.acknowledged, milliseconds(r.worst), milliseconds(r.back), len(r.lost), r.oldAccepted)
}

// milliseconds is a dash for what was not measured.
func milliseconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}
