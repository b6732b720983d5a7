package oauthclient

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// noteTimeout bounds how long one write may take.
	noteTimeout = 5 * time.Second
	// drainTimeout bounds how long Close waits for the writes that are pending.
	drainTimeout = 3 * time.Second
	// maxPendingNotes bounds how many notes are not yet written.
	maxPendingNotes = 1024
)

// notes writes in the background what verifications have seen. No verification
// waits for it, or fails because of it.
type notes struct {
	write  func(context.Context, note) error
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // of the worker, which outlives the call that starts it
	cancel context.CancelFunc

	mu      sync.Mutex
	pending map[noteKey]note // the first of each client and kind
	running bool             // the worker
	closed  bool
	worker  sync.WaitGroup
}

// A note is one thing that a verification has seen.
type note struct {
	noteKey

	caller  Caller
	version int64 // of the client's newest secret, or of the one that has ended
	at      time.Time
}

type noteKey struct {
	client uuid.UUID
	match  Match // which of the client's secrets was presented
}

func newNotes(log *slog.Logger, write func(context.Context, note) error) *notes {
	ctx, cancel := context.WithCancel(context.Background())
	return &notes{write: write, log: log, ctx: ctx, cancel: cancel, pending: make(map[noteKey]note)}
}

// add queues a note, unless one of its kind is pending. When too many are pending it
// does nothing: the next verification of the same kind adds it again.
func (n *notes) add(seen note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.pending[seen.noteKey]; known || n.closed || len(n.pending) >= maxPendingNotes {
		return
	}
	n.pending[seen.noteKey] = seen
	if !n.running {
		n.running = true
		n.worker.Go(n.run)
	}
}

// run writes what is pending until nothing is.
func (n *notes) run() {
	for seen, ok := n.next(); ok; seen, ok = n.next() {
		ctx, cancel := context.WithTimeout(n.ctx, noteTimeout)
		if err := n.write(ctx, seen); err != nil {
			n.log.WarnContext(ctx, "what a verification has seen is not on record", "client", seen.client, "error", err)
		}
		cancel()
	}
}

// next takes one pending note. If there is none the worker ends.
func (n *notes) next() (note, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, seen := range n.pending {
		if n.ctx.Err() != nil {
			break
		}
		delete(n.pending, key)
		return seen, true
	}
	n.running = false
	return note{}, false
}

// close writes what is pending, as far as there is time, and takes no more.
func (n *notes) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	timer := time.AfterFunc(drainTimeout, n.cancel)
	defer timer.Stop()
	n.worker.Wait()
	n.cancel()
}
