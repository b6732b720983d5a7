//go:build linux

package faults_test

import (
	"syscall"
	"testing"
	"time"
)

// promoted kills the database server, in each cycle another one, and puts its
// synchronous standby into its place.
func promoted(t *testing.T, w *workshop, r *row) {
	primary := newCluster(t)
	for range r.cycles {
		primary.addStandby(t)
		primary = failOver(t, w, r, primary)
	}
}

// failOver returns the new primary.
func failOver(t *testing.T, w *workshop, r *row, primary *cluster) *cluster {
	t.Helper()
	s := newPostgres(t, w, r, primary, []string{"target_session_attrs=read-write"}, "--require-sync-standby")
	l := s.load(t, 4, 9)
	l.wantMore(t, 60)
	primary.end(syscall.SIGKILL)
	l.wantFailures(t, 9)
	s.cluster = primary.standby
	s.cluster.query(t, "postgres", "SELECT pg_promote()::text")
	s.wantServed(t, l, time.Now())
	s.finish(t)
	for _, replica := range s.replicas {
		replica.terminate(t)
	}
	return s.cluster
}

// addStandby makes a copy of a server that follows it, and for which it waits
// before it acknowledges a commit.
func (c *cluster) addStandby(t *testing.T) {
	t.Helper()
	standby := emptyCluster(t)
	c.run(t, "pg_basebackup", "--dbname", c.url("postgres"), "--pgdata", standby.dir, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	standby.start(t)
	c.query(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
	c.query(t, "postgres", "SELECT pg_reload_conf()::text")
	for began := time.Now(); c.query(t, "postgres", "SELECT sync_state FROM pg_stat_replication") != "sync"; time.Sleep(pause) {
		if time.Since(began) > startPatience {
			t.Fatal("the standby does not follow")
		}
	}
	c.standby = standby
}

// standbyGone stops the synchronous standby for longer than an answer may take,
// so that no commit is acknowledged.
func standbyGone(t *testing.T, w *workshop, r *row) {
	primary := newCluster(t)
	primary.addStandby(t)
	s := newPostgres(t, w, r, primary, nil, "--require-sync-standby")
	for range r.cycles {
		l := s.load(t, 4, 9)
		l.wantMore(t, 60)
		primary.standby.end(syscall.SIGQUIT)
		time.Sleep(hold)
		primary.standby.start(t)
		s.wantServed(t, l, time.Now())
	}
	s.finish(t)
}
