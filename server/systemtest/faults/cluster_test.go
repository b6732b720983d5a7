//go:build linux

package faults_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"clientsd/server/servertest"
)

// A cluster is a PostgreSQL server that the test has made: on loopback, on the
// disk, and as careful with it as PostgreSQL is by default.
type cluster struct {
	bin, dir string
	owner    *syscall.Credential // PostgreSQL refuses to run as root
	address  string              // host:port
	standby  *cluster
	starter  []string // what starts the server in its place, if anything
	logs     servertest.Logs

	process *exec.Cmd
}

// newCluster makes a server and starts it. It ends with the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := emptyCluster(t)
	c.create(t)
	return c
}

// create gives a cluster its data and starts it.
func (c *cluster) create(t *testing.T) {
	t.Helper()
	c.run(t, "initdb", "--pgdata", c.dir, "--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C")
	c.start(t)
}

// emptyCluster has a folder and an address, and nothing in either.
func emptyCluster(t *testing.T) *cluster {
	t.Helper()
	bin, err := postgresPrograms()
	need(t, "PostgreSQL", err)
	c := &cluster{bin: bin}
	if os.Getuid() == 0 {
		c.owner, err = credential("postgres")
		need(t, "the user postgres", err)
	}
	folder := t.TempDir()
	if c.owner != nil { // the folder around it is for the owner of the test only
		err := errors.Join(os.Chmod(filepath.Dir(folder), 0o711), os.Chown(folder, int(c.owner.Uid), int(c.owner.Gid)))
		if err != nil {
			t.Fatal(err)
		}
	}
	c.dir, c.address = filepath.Join(folder, "data"), servertest.ReservedAddr(t)
	t.Cleanup(func() { c.end(syscall.SIGQUIT) })
	return c
}

// postgresPrograms is the folder of initdb and its like, which Debian keeps out
// of the PATH.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path)
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New("initdb is neither in the PATH nor in /usr/lib/postgresql"), err)
	}
	return found[len(found)-1], nil
}

func credential(name string) (*syscall.Credential, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// command is a program of PostgreSQL, run by its owner.
func (c *cluster) command(program string, args ...string) *exec.Cmd {
	return c.owned(append([]string{filepath.Join(c.bin, program)}, args...))
}

// owned is any program, run by the owner of the cluster.
func (c *cluster) owned(args []string) *exec.Cmd {
	command := exec.Command(args[0], args[1:]...)
	command.Dir = filepath.Dir(c.dir) // somewhere the owner may be
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner, Pdeathsig: syscall.SIGQUIT}
	return command
}

func (c *cluster) run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	output, err := c.command(program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return output
}

// start returns once the server accepts connections.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.process = c.owned(append(slices.Clone(c.starter), filepath.Join(c.bin, "postgres"), "-D", c.dir, "-p", port,
		"-c", "listen_addresses="+host, "-c", "unix_socket_directories=", "-c", "fsync=on",
		"-c", "shared_buffers=32MB", "-c", "deadlock_timeout=200ms"))
	c.process.Stderr = &c.logs
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(pause) {
		conn, err := pgx.Connect(t.Context(), c.url("postgres"))
		if err == nil {
			conn.Close(t.Context())
			return
		}
		if time.Since(began) > startPatience {
			t.Fatalf("PostgreSQL does not start: %v: %s", err, c.logs.String())
		}
	}
}

// end ends the server if it runs: SIGQUIT immediately, SIGKILL as when its machine
// fails.
func (c *cluster) end(signal os.Signal) {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Signal(signal) // it has gone already
	_ = c.process.Wait()                 // it has not ended well
}

// url is that of a database of the server, wherever it may be: on the server or,
// one day, on its standby.
func (c *cluster) url(database string) string {
	hosts := c.address
	if c.standby != nil {
		hosts += "," + c.standby.address
	}
	return "postgres://postgres@" + hosts + "/" + database + "?sslmode=disable"
}

// query runs a statement in a database, and returns its only value, if any.
func (c *cluster) query(t *testing.T, database, statement string, args ...any) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.url(database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), statement, args...).Scan(&value); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}
