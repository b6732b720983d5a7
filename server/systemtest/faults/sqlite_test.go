//go:build linux

package faults_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func sqliteFaults() []fault {
	return []fault{
		{"SQLite: kill -9", 1, onSQLite(killed)},
		{"SQLite: SIGTERM and restart", 10, onSQLite(terminated)},
		{"SQLite: SIGSTOP, SIGCONT", 10, onSQLite(paused)},
		{"SQLite: disk full, and space back", 20, fullDisk},
		{"SQLite: lock held by another process, 64 writers", 20, onSQLite(locked)},
		{"SQLite: database file damaged", 20, damaged},
		{"SQLite: keyset wrong or unreadable", 20, keysetWrong},
	}
}

// onSQLite gives a fault a server on a database file of its own. Each cycle has
// its own clients; all of them are judged once more at the end.
func onSQLite(cycle func(*testing.T, *scene)) func(*testing.T, *workshop, *row) {
	return func(t *testing.T, w *workshop, r *row) {
		s := newSQLite(t, w, r)
		for range r.cycles {
			cycle(t, s)
		}
		s.finish(t)
	}
}

func newSQLite(t *testing.T, w *workshop, r *row) *scene {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	server := w.replica("the server", nil, "--data-dir", dir)
	server.start(t)
	server.token = w.token(t, nil, "--data-dir", dir)
	return &scene{
		row:      r,
		dir:      dir,
		replicas: []*replica{server},
		stored:   func(t *testing.T) []byte { t.Helper(); return readAll(t, dir, "clientsd.db*") },
	}
}

// readAll is the content of the files in a folder, one after the other.
func readAll(t *testing.T, dir, pattern string) (all []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}

// killed ends the server at any moment.
func killed(t *testing.T, s *scene) {
	t.Helper()
	l := s.load(t, 4, 8)
	l.wantMore(t, 40+rand.Int64N(40))
	s.replicas[0].kill(t)
	time.Sleep(rand.N(100 * time.Millisecond))
	gone := time.Now()
	s.replicas[0].start(t)
	s.wantServed(t, l, gone)
}

func terminated(t *testing.T, s *scene) {
	t.Helper()
	l := s.load(t, 4, 8)
	l.wantMore(t, 40)
	s.replicas[0].terminate(t)
	gone := time.Now()
	s.replicas[0].start(t)
	s.wantServed(t, l, gone)
}

func paused(t *testing.T, s *scene) {
	t.Helper()
	l := s.load(t, 4, 8)
	l.wantMore(t, 40)
	s.replicas[0].freeze(t)
	time.Sleep(time.Second)
	gone := time.Now()
	s.replicas[0].thaw(t)
	s.wantServed(t, l, gone)
}

// wantServed is the end of a cycle, when the cause of the fault has gone: the
// service is back, goes on, and has kept its promise.
func (s *scene) wantServed(t *testing.T, l *load, gone time.Time) {
	t.Helper()
	l.wantBack(t, gone)
	l.wantMore(t, 20)
	l.end()
	s.check(t, l.histories)
}
