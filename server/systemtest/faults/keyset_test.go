//go:build linux

package faults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A wrongKeyset is what can be where the keyset of a database should be, and
// what a server says of it.
type wrongKeyset struct {
	name, says string
	put        func(t *testing.T, path string)
}

func wrongKeysets(t *testing.T, w *workshop) []wrongKeyset {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.json")
	w.run(t, nil, "keyset", "create", other)
	return []wrongKeyset{
		{"none", "but not its keyset", func(*testing.T, string) {}},
		{"that of another database", "not the one this database was created with", func(t *testing.T, path string) {
			t.Helper()
			overwrite(t, path, read(t, other))
		}},
		{"half of one", "not a Tink keyset", func(t *testing.T, path string) {
			t.Helper()
			overwrite(t, path, read(t, other)[:100])
		}},
		{"an empty file", "not a Tink keyset", func(t *testing.T, path string) {
			t.Helper()
			overwrite(t, path, nil)
		}},
		{"a folder", "keyset.json", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// keysetWrong starts the server without the keyset of its database. It must end
// before anybody can reach it, and leave the database as it is.
func keysetWrong(t *testing.T, w *workshop, r *row) {
	s := newSQLite(t, w, r)
	server, path := s.replicas[0], filepath.Join(s.dir, "keyset.json")
	keyset, wrong := read(t, path), wrongKeysets(t, w)
	for range r.cycles {
		l := s.load(t, 4, 8)
		l.wantMore(t, 40)
		server.kill(t)
		for _, k := range wrong {
			t.Run(k.name, func(t *testing.T) {
				remove(t, path)
				k.put(t, path)
				s.wantUntouched(t, k.says)
			})
		}
		remove(t, path)
		overwrite(t, path, keyset)
		gone := time.Now()
		server.start(t)
		s.wantServed(t, l, gone)
	}
	s.finish(t)
}

// wantUntouched fails the test unless the server refuses to start, and neither
// the database nor its WAL has changed.
func (s *scene) wantUntouched(t *testing.T, says string) {
	t.Helper()
	before := s.files(t)
	err := s.replicas[0].launch(t)
	if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), says) {
		t.Errorf("got error %v, want %q", err, says)
	}
	if !bytes.Equal(before, s.files(t)) {
		t.Error("the database has changed")
	}
}

// files are the database and its WAL. What else is there SQLite makes anew to
// read them.
func (s *scene) files(t *testing.T) []byte {
	t.Helper()
	return slices.Concat(readAll(t, s.dir, "clientsd.db"), readAll(t, s.dir, "clientsd.db-wal"))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
