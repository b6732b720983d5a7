// Package batch lets concurrent callers share one commit. A commit waits for the
// disk, or for round trips to a server, and costs as much for many changes as for
// one.
//
// It owns the queue: who waits, who shares a commit and what each caller hears. It
// must not know what is committed, or to which database.
package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"clientsd/server/tx"
)

const (
	// maxSize bounds the calls that share a commit.
	maxSize = 64
	// crowd is how many waiting calls start another commit while one runs. Fewer
	// wait for that one to end, which may take long.
	crowd = 16
)

var (
	// ErrRunSolo asks a caller to run its item in a transaction of its own. Nothing
	// of the item was committed.
	ErrRunSolo = errors.New("this cannot share a commit with others")
	// errPanic reports a panic in a commit. How far the transaction has come is
	// unknown, so nobody may run it again.
	errPanic = errors.New("committing a batch has panicked")
)

// A Batcher runs the items of concurrent callers in shared commits. It is safe
// for concurrent use.
type Batcher[T any] struct {
	// Commit runs one transaction for the calls that it takes, which may be none. It
	// takes once, and as late as it can. It sets the Err of each call that failed
	// without harm to the others. If it returns an error nothing was committed and
	// its calls run solo, unless that is [tx.ErrOutcomeUnknown].
	Commit func(ctx context.Context, take Take[T]) error
	// MaxConcurrent bounds the commits that run at the same time.
	MaxConcurrent int

	mu      sync.Mutex
	pending []*Call[T] // the oldest first
	running int
}

// A Call is the item of one caller.
type Call[T any] struct {
	// Item is what the caller wants to be done.
	Item T
	// Err is the failure of this item alone. Nil: it is done if the commit succeeds.
	Err  error
	done chan struct{}
}

// Take removes from the queue the calls that a commit runs.
type Take[T any] func(accept func(T) bool) []*Call[T]

// All takes the oldest calls, up to the bound of a batch.
func (t Take[T]) All() []*Call[T] { return t(func(T) bool { return true }) }

// Do runs item in a commit, which it may share with others. A caller whose ctx
// ends leaves as long as its item waits; after that it hears the outcome.
//
// Errors: ErrRunSolo, and what the item or its commit failed with. A failure of
// one item never reaches the caller of another one.
func (b *Batcher[T]) Do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	call := &Call[T]{Item: item, done: make(chan struct{})}
	b.enqueue(ctx, call)
	select {
	case <-call.done:
	case <-ctx.Done():
		if b.withdraw(call) {
			return fmt.Errorf("begin: %w", ctx.Err())
		}
		<-call.done
	}
	return call.Err
}

// enqueue adds a call to the queue, and starts to commit if one more commit may run.
func (b *Batcher[T]) enqueue(ctx context.Context, call *Call[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, call)
	if b.running == 0 || b.running < b.MaxConcurrent && len(b.pending) >= crowd {
		b.running++
		go b.run(context.WithoutCancel(ctx))
	}
}

// withdraw removes a call from the queue, and reports whether it was still there.
func (b *Batcher[T]) withdraw(call *Call[T]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.pending, call)
	if i >= 0 {
		b.pending = slices.Delete(b.pending, i, i+1)
	}
	return i >= 0
}

// run commits one batch after the other until the queue is empty.
func (b *Batcher[T]) run(ctx context.Context) {
	for b.hasPending() {
		b.commit(ctx)
	}
}

func (b *Batcher[T]) hasPending() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		b.running--
		return false
	}
	return true
}

// take removes up to size calls from the queue.
func (b *Batcher[T]) take(size int, accept func(T) bool) (taken []*Call[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []*Call[T]
	for _, call := range b.pending {
		if len(taken) < size && accept(call.Item) {
			taken = append(taken, call)
		} else {
			left = append(left, call)
		}
	}
	b.pending = left
	return taken
}

// commit runs one commit and answers its callers. When it failed they run solo, and
// each hears the reason there.
func (b *Batcher[T]) commit(ctx context.Context) {
	var calls []*Call[T]
	err := b.tryCommit(ctx, func(accept func(T) bool) []*Call[T] {
		calls = b.take(maxSize, accept)
		return calls
	})
	failure := ErrRunSolo
	switch {
	case err == nil:
		failure = nil
	case calls == nil: // it did not begin, and the oldest call has waited for that
		calls, failure = b.take(1, func(T) bool { return true }), err
	case errors.Is(err, tx.ErrOutcomeUnknown), errors.Is(err, errPanic):
		failure = err
	}
	for _, call := range calls {
		if failure != nil {
			call.Err = failure
		}
		close(call.done)
	}
}

// tryCommit turns a panic into an error: nobody else would recover from it in this
// goroutine.
func (b *Batcher[T]) tryCommit(ctx context.Context, take Take[T]) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errPanic, cause)
		}
	}()
	return b.Commit(ctx, take)
}
