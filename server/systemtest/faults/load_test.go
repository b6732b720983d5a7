//go:build linux

package faults_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// pause is between two attempts.
	pause = 20 * time.Millisecond
	// perseverance is how long a caller repeats a call under its key, and how long
	// the test waits for what the load should do.
	perseverance = 6 * limit
	// loudest is how many complaints of one load are worth reading.
	loudest = 20
)

// A load is callers that rotate the secrets of some clients until it ends.
type load struct {
	scene     *scene
	histories []*history
	// pick chooses the replica for a caller's attempt.
	pick func(caller, attempt int) *replica
	// flawless says that no call may fail.
	flawless bool

	acknowledged, failed, complaints atomic.Int64

	callers sync.WaitGroup
	ended   chan struct{}
	end     func() // returns when every call has its answer
}

// start lets so many callers loose.
func (l *load) start(t *testing.T, callers int) *load {
	t.Helper()
	l.ended = make(chan struct{})
	l.end = sync.OnceFunc(func() {
		close(l.ended)
		l.callers.Wait()
	})
	t.Cleanup(l.end)
	for caller := range callers {
		l.callers.Go(func() {
			for !l.isOver() {
				l.one(t, caller)
			}
		})
	}
	return l
}

func (l *load) isOver() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// one is a rotation and then, if it was acknowledged, the proof that the secret
// before it is refused from that moment, by any replica. The new one is accepted,
// unless somebody else was faster.
func (l *load) one(t *testing.T, caller int) {
	h := l.histories[rand.IntN(len(l.histories))]
	before := h.latest()
	r := l.rotate(t, caller, h)
	if r.outcome == acknowledged && before.version < r.version {
		l.present(t, l.pick(caller, 1), h, before, 0)
		l.present(t, l.pick(caller, 1), h, r, r.version)
	}
}

// rotate asks for a rotation. With an idempotency key the caller asks again,
// wherever that may be, until there is an answer that says what has come of it.
func (l *load) rotate(t *testing.T, caller int, h *history) rotation {
	r := begin(rand.IntN(2) == 0)
	began := time.Now()
	for attempt := 0; ; attempt++ {
		l.attempt(t, l.pick(caller, attempt), h, &r)
		if r.outcome != open || !r.keyed || t.Context().Err() != nil {
			break
		}
		if time.Since(began) > perseverance {
			l.complainf(t, "call %s: cannot be repeated for an answer", r.id)
			break
		}
		time.Sleep(pause)
	}
	h.add(r)
	if r.outcome != acknowledged {
		time.Sleep(pause)
	}
	return r
}

// attempt is a call for a rotation, with what its answer says.
func (l *load) attempt(t *testing.T, target *replica, h *history, r *rotation) {
	a := l.ask(t, target, r.keyed, func(ctx context.Context) error {
		client, err := target.rotate(ctx, h.clientID, *r)
		r.version, r.secret = client.GetSecretVersion(), client.GetClientSecret()
		return err
	})
	r.outcome = a.outcome(r.keyed)
	if r.outcome == acknowledged {
		l.acknowledged.Add(1)
	} else {
		l.failed.Add(1)
	}
}

// present asks a replica as which version it accepts a secret. It may refuse it,
// and otherwise there is one right answer, 0 if there is none.
func (l *load) present(t *testing.T, target *replica, h *history, r rotation, right int64) {
	var version int64
	a := l.ask(t, target, false, func(ctx context.Context) (err error) {
		version, err = target.verify(ctx, h.clientID, r.secret)
		return err
	})
	if a.err == nil && version != 0 && version != right {
		l.scene.row.judged(verdict{oldAccepted: 1})
		l.complainf(t, "%s accepts the secret of version %d as %d after a later one was acknowledged", target.name, r.version, version)
	}
}

// ask makes a call, and complains about an answer that may not be. A frozen
// replica need not answer: a call to it is given up when it should have.
func (l *load) ask(t *testing.T, target *replica, keyed bool, do func(context.Context) error) answer {
	freezes, frozen, wait := target.freezes.Load(), target.frozen.Load(), patience
	if frozen {
		wait = limit
	}
	a := ask(t.Context(), wait, do)
	frozen = frozen || target.freezes.Load() != freezes
	if t.Context().Err() != nil { // the test has failed, and does not wait for answers
		return a
	}
	if !frozen {
		l.scene.row.answered(a.took)
	}
	if text := a.complaint(keyed, frozen); text != "" {
		l.complainf(t, "%s %s", target.name, text)
	} else if l.flawless && a.err != nil {
		l.complainf(t, "%s failed: %v", target.name, a.err)
	}
	return a
}

func (l *load) complainf(t *testing.T, format string, args ...any) {
	if l.complaints.Add(1) <= loudest {
		t.Errorf(format, args...)
	}
}

// wantMore returns when so many more rotations are acknowledged.
func (l *load) wantMore(t *testing.T, n int64) {
	t.Helper()
	wantMore(t, &l.acknowledged, n, "rotations are acknowledged")
}

// wantFailures returns when so many more calls have failed.
func (l *load) wantFailures(t *testing.T, n int64) {
	t.Helper()
	wantMore(t, &l.failed, n, "calls fail")
}

func wantMore(t *testing.T, counter *atomic.Int64, n int64, what string) {
	t.Helper()
	until, began := counter.Load()+n, time.Now()
	for counter.Load() < until {
		if time.Since(began) > perseverance {
			t.Fatalf("not %d more %s within %v", n, what, perseverance)
		}
		time.Sleep(time.Millisecond)
	}
}

// wantBack returns when every replica acknowledges a rotation again, since the
// cause of the fault has gone.
func (l *load) wantBack(t *testing.T, gone time.Time) {
	t.Helper()
	for _, target := range l.scene.replicas {
		for {
			r := begin(false)
			l.attempt(t, target, l.histories[0], &r)
			l.histories[0].add(r)
			if r.outcome == acknowledged {
				break
			}
			if time.Since(gone) > patience {
				t.Fatalf("%s: is not back after %v", target.name, patience)
			}
			time.Sleep(pause)
		}
	}
	took := time.Since(gone)
	l.scene.row.returned(took)
	if took > limit {
		t.Errorf("the service is back only after %v", took)
	}
}
