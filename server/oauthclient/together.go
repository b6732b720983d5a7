package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"clientsd/server/tx"
)

const (
	// maxTogether bounds how many rotations share one transaction.
	maxTogether = 64
	// maxTransactions bounds how many such transactions run at once. What comes
	// while one is under way waits to be the next.
	maxTransactions = 2
	// manyWaiting is how many do not wait for the first to end: it may take long,
	// or never end on a connection that is dead.
	manyWaiting = 16
	// minTime is the least that a caller must have left to join: the transaction
	// ends with the first deadline of those who share it.
	minTime = time.Second
)

var (
	// errAlone tells a caller to rotate in a transaction of its own.
	errAlone = errors.New("this rotation could not be made together with others")
	// errPanic tells a caller of a fault of ours: how far the transaction has come
	// is unknown, so it is not made again.
	errPanic = errors.New("rotating together has panicked")
)

// A gathering makes rotations that come while others are under way in one
// transaction: a commit, and each of the round trips to the database, cost as
// much for many of them as for one. Nobody is answered before the commit.
type gathering struct {
	// make makes rotations of different clients in one transaction. A client that
	// is not in its answer is as it was.
	make func(ctx context.Context, rotations []rotation) (map[uuid.UUID]*Client, error)

	mu      sync.Mutex
	waiting []*waiter
	running int
}

// A waiter is a rotation in a gathering.
type waiter struct {
	rotation

	deadline time.Time // zero: none
	row      *Client
	err      error
	done     chan struct{} // closed once row or err is set
}

// rotate makes a rotation together with others.
//
// Errors: errAlone: it was not made; the context has ended, and it was not made;
// ErrOutcomeUnknown; errPanic.
func (g *gathering) rotate(ctx context.Context, r rotation) (*Client, error) {
	deadline, bounded := ctx.Deadline()
	if bounded && time.Until(deadline) < minTime {
		return nil, errAlone
	}
	w := &waiter{rotation: r, deadline: deadline, done: make(chan struct{})}
	g.join(ctx, w)
	select {
	case <-w.done:
	case <-ctx.Done():
		if g.withdraw(w) {
			return nil, fmt.Errorf("begin: %w", ctx.Err())
		}
		<-w.done // once it has begun, what came of it is told
	}
	return w.row, w.err
}

// join lets a rotation wait, and begins a transaction if one more may run.
func (g *gathering) join(ctx context.Context, w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, w)
	if g.running == 0 || g.running < maxTransactions && len(g.waiting) >= manyWaiting {
		g.running++
		go g.run(context.WithoutCancel(ctx))
	}
}

// withdraw reports whether a rotation still waited. It does not any more.
func (g *gathering) withdraw(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, w)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// run makes what waits, one transaction after the other, until nothing does.
func (g *gathering) run(ctx context.Context) {
	for taken := g.take(); len(taken) > 0; taken = g.take() {
		g.commit(ctx, taken)
	}
}

// take is what the next transaction makes: at most one rotation of each client, in
// the order they came. With nothing to make the run is over.
func (g *gathering) take() (taken []*waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clients := make(map[uuid.UUID]bool)
	var left []*waiter
	for _, w := range g.waiting {
		if len(taken) == maxTogether || clients[w.in.ClientID] {
			left = append(left, w)
			continue
		}
		clients[w.in.ClientID] = true
		taken = append(taken, w)
	}
	g.waiting = left
	if len(taken) == 0 {
		g.running--
	}
	return taken
}

// commit makes rotations in one transaction and tells each caller. What cannot be
// made together, for whatever reason, each makes alone, and hears the reason
// there: a failure never reaches another caller.
func (g *gathering) commit(ctx context.Context, taken []*waiter) {
	rows, err := g.attempt(ctx, taken)
	for _, w := range taken {
		w.row = rows[w.in.ClientID]
		switch {
		case errors.Is(err, tx.ErrOutcomeUnknown), errors.Is(err, errPanic):
			w.err = err
		case w.row == nil:
			w.err = errAlone
		}
		close(w.done)
	}
}

// attempt returns no rows with an error. It recovers from a panic, because nobody
// else would in this goroutine.
func (g *gathering) attempt(ctx context.Context, taken []*waiter) (rows map[uuid.UUID]*Client, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			rows, err = nil, fmt.Errorf("%w: %v", errPanic, cause)
		}
	}()
	rotations := make([]rotation, len(taken))
	for i, w := range taken {
		rotations[i] = w.rotation
	}
	ctx, cancel := until(ctx, taken)
	defer cancel()
	return g.make(ctx, rotations)
}

// until ends a context with the first deadline.
func until(ctx context.Context, taken []*waiter) (context.Context, context.CancelFunc) {
	var first time.Time
	for _, w := range taken {
		if first.IsZero() || !w.deadline.IsZero() && w.deadline.Before(first) {
			first = w.deadline
		}
	}
	if first.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, first)
}
