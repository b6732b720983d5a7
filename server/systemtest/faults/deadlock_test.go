//go:build linux

package faults_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// crowded lets many callers rotate the secret of one client concurrently.
func crowded(t *testing.T, s *postgresScene) {
	t.Helper()
	l := s.load(t, 1, writers)
	l.wantMore(t, 200)
	s.wantCalm(t, l)
}

// deadlocked does the same beside somebody who takes the same locks in another
// order.
func deadlocked(t *testing.T, s *postgresScene) {
	t.Helper()
	l := s.load(t, 1, writers)
	conn, err := pgx.Connect(t.Context(), s.cluster.url(s.database))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var provoking sync.WaitGroup
	provoking.Go(func() { provoke(ctx, conn, l.histories[0].clientID) })
	end := func() {
		cancel()
		provoking.Wait()
	}
	t.Cleanup(end)
	enough := s.deadlocks(t) + 3
	for began := time.Now(); s.deadlocks(t) < enough; l.wantMore(t, 20) {
		if time.Since(began) > perseverance {
			t.Fatal("there are no deadlocks")
		}
	}
	end()
	s.wantCalm(t, l)
}

// wantCalm is the end of a cycle whose fault is the load itself.
func (s *scene) wantCalm(t *testing.T, l *load) {
	t.Helper()
	l.end()
	l.wantBack(t, time.Now())
	s.check(t, l.histories)
}

// provoke takes the lock of the events, of which every rotation needs one last,
// and then that of the client's row, which every rotation takes first.
func provoke(ctx context.Context, conn *pgx.Conn, clientID string) {
	defer conn.Close(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		_, _ = conn.Exec(ctx, "BEGIN")
		_, _ = conn.Exec(ctx, "LOCK TABLE client_events IN SHARE MODE")
		_, _ = conn.Exec(ctx, "SELECT 1 FROM oauth_clients WHERE id = $1 FOR UPDATE", clientID)
		_, _ = conn.Exec(ctx, "ROLLBACK") // whichever of them has failed
		time.Sleep(pause)
	}
}

// deadlocks is how many PostgreSQL has found so far.
func (s *postgresScene) deadlocks(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(s.cluster.query(t, s.database, "SELECT deadlocks::text FROM pg_stat_database WHERE datname = $1", s.database))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
