//go:build linux

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func postgresFaults() []fault {
	return []fault{
		{"PostgreSQL: kill -9 of each of three replicas", 2, onPostgres(eachKilled)},
		{"PostgreSQL: pg_terminate_backend of all connections", 10, onPostgres(disconnected)},
		{"PostgreSQL: immediate stop and restart", 10, onPostgres(crashed)},
		{"PostgreSQL: SIGSTOP, SIGCONT of a replica", 20, onPostgres(onePaused)},
		{"PostgreSQL: SIGTERM and restart of one replica at a time", 10, onPostgres(rolled)},
		{"PostgreSQL: deadlocks, 64 writers", 20, onPostgres(deadlocked)},
		{"PostgreSQL: SERIALIZABLE, 64 writers", 20, onPostgres(crowded, "default_transaction_isolation=serializable")},
		{"PostgreSQL: disk of the tables full, and space back", 20, fullTablespace},
		{"PostgreSQL: promotion of the synchronous standby", 20, promoted},
		{"PostgreSQL: synchronous standby gone, and back", 20, standbyGone},
	}
}

// A postgresScene is three replicas on one database.
type postgresScene struct {
	*scene

	cluster  *cluster
	database string
}

// onPostgres gives a fault three replicas on a database of their own. Each cycle
// has its own clients; all of them are judged once more at the end.
func onPostgres(cycle func(*testing.T, *postgresScene), parameters ...string) func(*testing.T, *workshop, *row) {
	return func(t *testing.T, w *workshop, r *row) {
		s := newPostgres(t, w, r, w.cluster, parameters, "--shutdown-delay", "1s")
		for range r.cycles {
			cycle(t, s)
		}
		s.finish(t)
	}
}

// newPostgres starts three replicas on a new database, with these parameters in
// its URL and these flags.
func newPostgres(t *testing.T, w *workshop, r *row, c *cluster, parameters []string, flags ...string) *postgresScene {
	t.Helper()
	s := &postgresScene{scene: &scene{row: r}, cluster: c, database: fmt.Sprintf("faults%d", time.Now().UnixNano())}
	s.stored = s.dump
	c.query(t, "postgres", "CREATE DATABASE "+s.database)
	keyset := filepath.Join(t.TempDir(), "keyset.json")
	w.run(t, nil, "keyset", "create", keyset)
	url := strings.Join(append([]string{c.url(s.database)}, parameters...), "&")
	env := []string{"CLIENTSD_DATABASE_URL=" + url, "CLIENTSD_KEYSET_FILE=" + keyset}
	w.run(t, env, "migrate")
	for i := range 3 {
		replica := w.replica(fmt.Sprintf("replica %d", i+1), env, flags...)
		replica.start(t)
		s.replicas = append(s.replicas, replica)
	}
	token := w.token(t, env)
	for _, replica := range s.replicas {
		replica.token = token
	}
	return s
}

// dump is the database as pg_dump writes it, and what the database server has
// logged.
func (s *postgresScene) dump(t *testing.T) []byte {
	t.Helper()
	return slices.Concat(s.cluster.run(t, "pg_dump", "--dbname", s.cluster.url(s.database)), []byte(s.cluster.logs.String()))
}

// eachKilled ends one replica after the other at any moment.
func eachKilled(t *testing.T, s *postgresScene) {
	t.Helper()
	for _, victim := range s.replicas {
		l := s.load(t, 4, 9)
		l.wantMore(t, 40+rand.Int64N(40))
		victim.kill(t)
		l.wantMore(t, 10) // by the others
		gone := time.Now()
		victim.start(t)
		s.wantServed(t, l, gone)
	}
}

// onePaused freezes a replica for longer than an answer may take. It may hold
// the lock of a client's row meanwhile.
func onePaused(t *testing.T, s *postgresScene) {
	t.Helper()
	l := s.load(t, 4, 9)
	l.wantMore(t, 40)
	victim := s.replicas[rand.IntN(len(s.replicas))]
	victim.freeze(t)
	l.wantMore(t, 10) // by the others
	time.Sleep(hold)
	gone := time.Now()
	victim.thaw(t)
	s.wantServed(t, l, gone)
}

// disconnected ends all connections of the replicas.
func disconnected(t *testing.T, s *postgresScene) {
	t.Helper()
	l := s.load(t, 4, 9)
	for range 5 {
		l.wantMore(t, 20)
		s.cluster.query(t, s.database, `SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity
			WHERE datname = $1 AND pid <> pg_backend_pid()`, s.database)
	}
	s.wantServed(t, l, time.Now())
}

// crashed stops the database as a crash would, and starts it again.
func crashed(t *testing.T, s *postgresScene) {
	t.Helper()
	l := s.load(t, 4, 9)
	l.wantMore(t, 40)
	s.cluster.end(syscall.SIGQUIT)
	l.wantFailures(t, 9)
	s.cluster.start(t)
	s.wantServed(t, l, time.Now())
}
