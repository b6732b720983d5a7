//go:build linux

package faults_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
)

// A damage is something that happens to a patient.
type damage struct {
	name string
	do   func(p *patient)
}

const pageSize = 4096

// A patient is the file of a database that is about to be damaged.
type patient struct {
	random  *rand.Rand
	file    []byte
	clients []*history
}

// damages are what can happen to it. The first is nothing: what is true of a
// damaged database would prove little if the sound one were refused too.
var damages = []damage{
	{"nothing", func(*patient) {}},
	{"all of it missing", func(p *patient) { p.file = nil }},
	{"half of it missing", func(p *patient) { p.file = p.file[:len(p.file)/2] }},
	{"its last page missing", func(p *patient) { p.file = p.file[:len(p.file)-pageSize] }},
	{"its end missing", func(p *patient) { p.file = p.file[:p.random.IntN(len(p.file))] }},
	{"its header overwritten", func(p *patient) { p.scribble(0, 100) }},
	{"all but its first page overwritten", func(p *patient) { p.scribble(pageSize, len(p.file)) }},
	{"some pages overwritten", func(p *patient) { p.scribblePages(10) }},
	{"the pages of the clients overwritten", (*patient).scribbleClients},
	{"a few bits turned", func(p *patient) { p.turnBits(100) }},
	{"many bits turned", func(p *patient) { p.turnBits(10_000) }},
	{"another file", func(p *patient) { p.file = bytes.Repeat([]byte("no database "), 1000) }},
}

func (p *patient) scribble(from, to int) {
	for i := from; i < to; i++ {
		p.file[i] = byte(p.random.Uint32())
	}
}

func (p *patient) scribblePages(n int) {
	for range n {
		from := p.random.IntN(len(p.file)/pageSize) * pageSize
		p.scribble(from, from+pageSize)
	}
}

func (p *patient) scribbleClients() {
	for from := 0; from < len(p.file); from += pageSize {
		for _, h := range p.clients {
			if bytes.Contains(p.file[from:from+pageSize], []byte(h.clientID)) {
				p.scribble(from, from+pageSize)
			}
		}
	}
}

func (p *patient) turnBits(n int) {
	for range n {
		p.file[p.random.IntN(len(p.file))] ^= 1 << p.random.IntN(8)
	}
}

// damaged starts servers on damaged copies of a database: of one whose server
// was stopped, and of one whose server was killed and has left a WAL.
func damaged(t *testing.T, w *workshop, r *row) {
	s := newSQLite(t, w, r)
	server := s.replicas[0]
	for seed := range 2 * r.cycles {
		l := s.load(t, 8, 8)
		l.wantMore(t, 200)
		l.end()
		s.check(t, l.histories)
		name, end := "stopped", server.terminate
		if seed%2 == 1 {
			name, end = "killed", server.kill
		}
		end(t)
		for _, d := range damages {
			t.Run(name+", "+d.name, func(t *testing.T) {
				p := &patient{random: rand.New(rand.NewPCG(uint64(seed), 0)), clients: l.histories}
				s.wantNoLie(t, w, p, d)
			})
		}
		server.start(t)
	}
	s.finish(t)
}

// wantNoLie fails the test if a server on a damaged copy of the database accepts
// an old secret, or answers with anything but the truth or that it cannot. It
// may refuse to start, and does so by itself.
func (s *scene) wantNoLie(t *testing.T, w *workshop, p *patient, d damage) {
	t.Helper()
	dir := copyDir(t, s.dir)
	path := filepath.Join(dir, "clientsd.db")
	p.file = read(t, path)
	before := bytes.Clone(p.file)
	d.do(p)
	overwrite(t, path, p.file)
	server := w.replica("the server", nil, "--data-dir", dir)
	server.token = s.replicas[0].token
	if err := server.launch(t); err != nil {
		if bytes.Equal(before, p.file) || server.process.ProcessState.ExitCode() != 1 {
			t.Error(err)
		}
		return
	}
	for _, h := range p.clients {
		s.wantTruth(t, server, h, strings.Contains(d.name, "bits"))
	}
	server.kill(t)
}

// wantTruth presents every secret of a client, and rotates it. A turned bit may
// make a value that is another, but is one: a client of another id, say.
func (s *scene) wantTruth(t *testing.T, server *replica, h *history, anyError bool) {
	t.Helper()
	for _, secret := range h.secrets() {
		version, err := server.verify(t.Context(), h.clientID, secret)
		if version != 0 && secret != h.latest().secret {
			s.row.judged(verdict{oldAccepted: 1})
			t.Errorf("an old secret is accepted as version %d", version)
		}
		if err != nil && !anyError && !saysDamaged(err) {
			t.Errorf("verify: %v", err)
		}
	}
	if _, err := server.rotate(t.Context(), h.clientID, begin(false)); err != nil && !anyError && !saysDamaged(err) {
		t.Errorf("rotate: %v", err)
	}
}

func saysDamaged(err error) bool {
	code := connect.CodeOf(err)
	return connect.IsWireError(err) && (code == connect.CodeDataLoss || code == connect.CodeUnavailable)
}

// copyDir copies the files of a folder to a new one.
func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		overwrite(t, filepath.Join(to, entry.Name()), read(t, filepath.Join(from, entry.Name())))
	}
	return to
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
