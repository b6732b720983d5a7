//go:build linux

package faults_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
)

// A smallDisk is a file system of a few megabytes that only a server sees. It
// needs no root where a user may make namespaces, as most kernels allow and
// most containers do not.
type smallDisk struct {
	server *replica
	dir    string
}

// withDisk runs a program as its arguments say, on a file system of its own in
// the folder that is the first of them.
var withDisk = []string{
	"unshare", "--user", "--map-root-user", "--mount",
	"sh", "-c", `mount -t tmpfs -o size=32m,mode=0700 tmpfs "$0" && exec "$@"`,
}

// fullDisk takes all space away from a server and gives it back.
func fullDisk(t *testing.T, w *workshop, r *row) {
	dir := t.TempDir()
	starter := append(slices.Clone(withDisk), dir)
	need(t, "a tmpfs in a mount namespace", exec.CommandContext(t.Context(), starter[0], append(starter[1:], "true")...).Run())
	d := &smallDisk{server: w.within(starter...).replica("the server", nil, "--data-dir", dir), dir: dir}
	d.server.start(t)
	d.server.token = w.within("nsenter", "--target", d.pid(), "--user", "--mount", "--preserve-credentials").token(t, nil, "--data-dir", dir)
	s := &scene{row: r, replicas: []*replica{d.server}, stored: d.stored}
	for range r.cycles {
		s.starve(t, 8, d.fill, d.free)
	}
	s.finish(t)
}

func (d *smallDisk) pid() string { return strconv.Itoa(d.server.process.Process.Pid) }

// path is where the test finds a file of the server.
func (d *smallDisk) path(name string) string {
	return filepath.Join("/proc", d.pid(), "root", d.dir, name)
}

func (d *smallDisk) stored(t *testing.T) []byte {
	t.Helper()
	return readAll(t, d.path(""), "clientsd.db*")
}

// starve lets callers rotate while a disk is full, and once it is not any more.
// Until then a client that nobody changes can be read.
func (s *scene) starve(t *testing.T, callers int, fill, free func(*testing.T)) {
	t.Helper()
	quiet := s.newClients(t, 1)[0]
	l := s.load(t, 4, callers)
	l.wantMore(t, 40)
	fill(t)
	l.wantFailures(t, int64(callers))
	for began := time.Now(); time.Since(began) < time.Second; {
		wantReadable(t, s.replicas[0], quiet)
	}
	gone := time.Now()
	free(t)
	s.wantServed(t, l, gone)
}

// fill writes until there is no space left.
func (d *smallDisk) fill(t *testing.T) {
	t.Helper()
	filler, err := os.Create(d.path("filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func (d *smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.path("filler")); err != nil {
		t.Fatal(err)
	}
}

// wantReadable fails the test unless a client that nobody changes can be read
// and its secret be verified.
func wantReadable(t *testing.T, r *replica, h *history) {
	t.Helper()
	read, err := r.clients().GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: h.clientID})
	if err != nil || read.GetClient().GetSecretVersion() != 1 {
		t.Fatalf("get client: version %d, error %v", read.GetClient().GetSecretVersion(), err)
	}
	version, err := r.verify(t.Context(), h.clientID, h.latest().secret)
	if err != nil || version != 1 {
		t.Fatalf("verify: version %d, error %v", version, err)
	}
}
