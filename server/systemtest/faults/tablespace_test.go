//go:build linux

package faults_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// withDiskOfOthers is withDisk for a program that refuses to run as root: once the
// disk is mounted it is another user, in a namespace inside of the first.
var withDiskOfOthers = append(slices.Clone(withDisk[:len(withDisk)-1]),
	`mount -t tmpfs -o size=32m,mode=0700 tmpfs "$0" && exec unshare --user --map-user=1000 --map-group=1000 "$@"`)

// A tablespace is a small disk that only a database server sees. Tables are on it,
// but not the write-ahead log: without space for that PostgreSQL ends itself, which
// is the fault of an immediate stop.
type tablespace struct {
	server *cluster
	dir    string
}

// fullTablespace takes all space for tables away and gives it back.
func fullTablespace(t *testing.T, w *workshop, r *row) {
	d := newTablespace(t)
	s := newPostgres(t, w, r, d.server, nil)
	for range r.cycles {
		s.starve(t, 9, d.fill, d.free)
	}
	s.finish(t)
}

// newTablespace starts a server that makes all tables on a disk of their own.
func newTablespace(t *testing.T) *tablespace {
	t.Helper()
	c := emptyCluster(t)
	d := &tablespace{server: c, dir: filepath.Join(filepath.Dir(c.dir), "tables")}
	if output, err := c.owned([]string{"mkdir", d.dir}).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", output, err)
	}
	c.starter = append(slices.Clone(withDiskOfOthers), d.dir)
	need(t, "a tmpfs in a mount namespace", c.owned(append(slices.Clone(c.starter), "true")).Run())
	c.create(t)
	c.query(t, "postgres", "CREATE TABLESPACE tables LOCATION '"+d.dir+"'")
	c.query(t, "postgres", "ALTER SYSTEM SET default_tablespace = 'tables'")
	c.query(t, "postgres", "SELECT pg_reload_conf()::text")
	return d
}

// fill writes until there is no space left, as the owner of the disk: nobody else
// has a name there.
func (d *tablespace) fill(t *testing.T) {
	t.Helper()
	output, err := d.server.owned([]string{"dd", "if=/dev/zero", "of=" + d.filler(), "bs=4096"}).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "No space left on device") {
		t.Fatalf("fill: %s: %v", output, err)
	}
}

func (d *tablespace) free(t *testing.T) {
	t.Helper()
	if output, err := d.server.owned([]string{"rm", d.filler()}).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", output, err)
	}
}

// filler is where the test finds the file that takes the space.
func (d *tablespace) filler() string {
	return filepath.Join("/proc", strconv.Itoa(d.server.process.Process.Pid), "root", d.dir, "filler")
}
