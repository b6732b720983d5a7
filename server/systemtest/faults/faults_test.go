//go:build linux

// Package faults_test kills, stops and starves the real program while callers
// rotate secrets, and then asks whether it has kept its promise: judge_test.go
// says which.
//
// Without flags it is a taste of that. CI runs every fault a few times, and
// `make faults` as often as anybody would want it:
//
//	go test -C server/systemtest/faults -count=1 -timeout 40m -args -faults . -cycles 100
//
// It speaks to loopback only and ends what it has started. The faults of
// PostgreSQL need its programs, and a full disk needs util-linux and the right
// to mount a tmpfs in a namespace of its own: where they are missing these
// faults are skipped, but fail if CI is set.
package faults_test

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"
)

var (
	cycles = flag.Int("cycles", 2, "how often a server on SQLite is killed; the other faults come in proportion")
	chosen = flag.String("faults", "^SQLite: kill", "regular expression of the faults to run")
)

const (
	// limit bounds an answer while a fault lasts, and how long the service may take
	// to be back when its cause has gone.
	limit = 5 * time.Second
	// hold is how long a fault lasts that must outlast every answer.
	hold = limit + 2*time.Second
)

// A fault is something that happens to servers.
type fault struct {
	name string
	// every is how many of -cycles make one cycle of this fault.
	every int
	run   func(t *testing.T, w *workshop, r *row)
}

func TestFaults(t *testing.T) {
	sqlite, postgres := choose(t, sqliteFaults()), choose(t, postgresFaults())
	if len(sqlite)+len(postgres) == 0 {
		t.Fatalf("-faults %s: there is no such fault", *chosen)
	}
	w := newWorkshop(t)
	fmt.Println(headings)
	runAll(t, w, sqlite)
	if len(postgres) > 0 {
		w.cluster = newCluster(t)
		runAll(t, w, postgres)
	}
}

func choose(t *testing.T, faults []fault) []fault {
	t.Helper()
	pattern, err := regexp.Compile(*chosen)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(faults, func(f fault) bool { return !pattern.MatchString(f.name) })
}

func runAll(t *testing.T, w *workshop, faults []fault) {
	t.Helper()
	for _, f := range faults {
		r := &row{name: f.name, cycles: max(1, *cycles/f.every), lost: map[string]struct{}{}}
		t.Run(f.name, func(t *testing.T) { f.run(t, w, r) })
		fmt.Println(r)
	}
}
