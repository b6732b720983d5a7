package oauthclient

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

const (
	// lastUsedGrain is the precision of the last use of a previous secret. A client
	// that goes on using it costs one write in that time.
	lastUsedGrain = time.Minute
	// lastUsedTimeout bounds how long one write may take.
	lastUsedTimeout = 5 * time.Second
	// drainTimeout bounds how long Close waits for the writes that are pending.
	drainTimeout = 3 * time.Second
	// maxPendingUses bounds how many clients have a use that is not yet written.
	maxPendingUses = 1024
)

// previousUses records in the background that clients still use their previous
// secrets. No verification waits for it, or fails because of it.
type previousUses struct {
	record func(ctx context.Context, id uuid.UUID, use previousUse) error
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // of the worker, which outlives the call that starts it
	cancel context.CancelFunc

	mu      sync.Mutex
	pending map[uuid.UUID]previousUse // the last use of each client
	running bool                      // the worker
	closed  bool
	worker  sync.WaitGroup
}

// A previousUse is a verification of a previous secret.
type previousUse struct {
	version int64 // of the secret that replaced it
	at      time.Time
}

func newPreviousUses(log *slog.Logger, record func(context.Context, uuid.UUID, previousUse) error) *previousUses {
	ctx, cancel := context.WithCancel(context.Background())
	return &previousUses{record: record, log: log, ctx: ctx, cancel: cancel, pending: make(map[uuid.UUID]previousUse)}
}

// add queues a use. When too many are pending it does nothing: the next
// verification of the same secret adds it again.
func (u *previousUses) add(id uuid.UUID, use previousUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known := u.pending[id]; u.closed || !known && len(u.pending) >= maxPendingUses {
		return
	}
	u.pending[id] = use
	if !u.running {
		u.running = true
		u.worker.Go(u.run)
	}
}

// run records what is pending until nothing is.
func (u *previousUses) run() {
	for id, use, ok := u.next(); ok; id, use, ok = u.next() {
		ctx, cancel := context.WithTimeout(u.ctx, lastUsedTimeout)
		if err := u.record(ctx, id, use); err != nil {
			u.log.WarnContext(ctx, "the use of a previous secret is not on record", "client", id, "error", err)
		}
		cancel()
	}
}

// next takes one pending use. If there is none the worker ends.
func (u *previousUses) next() (uuid.UUID, previousUse, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, use := range u.pending {
		if u.ctx.Err() != nil {
			break
		}
		delete(u.pending, id)
		return id, use, true
	}
	u.running = false
	return uuid.UUID{}, previousUse{}, false
}

// close records what is pending, as far as there is time, and takes no more.
func (u *previousUses) close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	timer := time.AfterFunc(drainTimeout, u.cancel)
	defer timer.Stop()
	u.worker.Wait()
	u.cancel()
}

// recordPreviousUse writes one use, unless the client has been rotated again.
func (s *Store) recordPreviousUse(ctx context.Context, id uuid.UUID, use previousUse) error {
	return s.inTx(ctx, "record use of previous secret", func(ctx context.Context, tx *ent.Tx) error {
		return tx.OAuthClient.Update().
			Where(oauthclient.ID(id), oauthclient.SecretVersion(use.version), oauthclient.PreviousSecretExpiresAtNotNil()).
			SetPreviousSecretLastUsedAt(use.at.Truncate(lastUsedGrain)).
			Exec(ctx)
	})
}
