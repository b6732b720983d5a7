//go:build linux

package faults_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clientsd/server/servertest"
)

// A balancer asks every replica whether it is ready, as one in front of them
// would, and sends calls only to those that are.
type balancer struct {
	replicas []*replica
	ready    []atomic.Bool
}

func newBalancer(t *testing.T, replicas []*replica) *balancer {
	t.Helper()
	b := &balancer{replicas: replicas, ready: make([]atomic.Bool, len(replicas))}
	var watching sync.WaitGroup
	for i, r := range replicas {
		watching.Go(func() {
			for ctx := t.Context(); ctx.Err() == nil; time.Sleep(pause) {
				b.ready[i].Store(r.isReady(ctx))
			}
		})
		b.wantReady(t, i)
	}
	t.Cleanup(watching.Wait)
	return b
}

func (r *replica) isReady(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server().URL+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := servertest.HTTPClient(false).Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// pick is any replica that is ready.
func (b *balancer) pick(_, _ int) *replica {
	for {
		if i := rand.IntN(len(b.replicas)); b.ready[i].Load() {
			return b.replicas[i]
		}
	}
}

func (b *balancer) wantReady(t *testing.T, i int) {
	t.Helper()
	for began := time.Now(); !b.ready[i].Load(); time.Sleep(time.Millisecond) {
		if time.Since(began) > startPatience {
			t.Fatalf("%s is not ready after %v", b.replicas[i].name, startPatience)
		}
	}
}

// rolled restarts one replica after the other. Callers who heed the balancer see
// nothing of it: no call may fail.
func rolled(t *testing.T, s *postgresScene) {
	t.Helper()
	b := newBalancer(t, s.replicas)
	l := (&load{scene: s.scene, histories: s.newClients(t, 4), pick: b.pick, flawless: true}).start(t, 9)
	for i, r := range s.replicas {
		l.wantMore(t, 40)
		r.terminate(t)
		l.wantMore(t, 40)
		gone := time.Now()
		r.start(t)
		b.wantReady(t, i)
		l.wantBack(t, gone)
	}
	l.wantMore(t, 40)
	l.end()
	s.check(t, l.histories)
}
