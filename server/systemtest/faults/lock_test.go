//go:build linux

package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"clientsd/server/database"
)

const (
	// writers rotate the secret of one client, all concurrently.
	writers = 64
	// heldDatabase tells the test binary to be nothing but the process that holds
	// the lock of this file.
	heldDatabase = "CLIENTSD_FAULTS_HELD_DATABASE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(heldDatabase); path != "" {
		if err := holdLock(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// holdLock holds the write lock of a database file until standard input ends.
func holdLock(ctx context.Context, path string) error {
	db, err := database.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	tx, err := db.Write.Tx(ctx)
	if err != nil {
		return err
	}
	fmt.Println("held")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}
	return db.Close()
}

// locked keeps the write lock in another process, while many callers want to
// rotate the secret of one client.
func locked(t *testing.T, s *scene) {
	t.Helper()
	quiet := s.newClients(t, 1)[0]
	l := s.load(t, 1, writers)
	l.wantMore(t, 100)
	release := lockFile(t, filepath.Join(s.dir, "clientsd.db"))
	for began := time.Now(); time.Since(began) < hold; {
		wantReadable(t, s.replicas[0], quiet)
		time.Sleep(pause)
	}
	gone := time.Now()
	release()
	s.wantServed(t, l, gone)
}

// lockFile returns once another process holds the lock.
func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), heldDatabase+"="+path)
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	holder.Stderr = os.Stderr
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill() })
	if said, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("hold the lock: said %q: %v", said, err)
	}
	return func() {
		stdin.Close()
		if err := holder.Wait(); err != nil {
			t.Fatalf("hold the lock: %v", err)
		}
	}
}
