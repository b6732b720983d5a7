package database

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"clientsd/ent"
	"clientsd/server/tx"
)

// maxGroup bounds how many transactions share one commit.
const maxGroup = 64

var (
	// errAlone tells a caller to run a transaction by itself.
	errAlone = errors.New("one transaction of the group has failed")
	errPanic = errors.New("a transaction of the group has panicked")
	errEnded = errors.New("the database is closed")
)

// A group lets transactions that wait for the one writer of SQLite share a
// commit, and with it the wait for the disk, which is most of what a small
// transaction costs. Nobody is answered before that commit. If one of them fails
// all are rolled back, and each is run by its caller, alone: a failure never
// reaches another caller.
type group struct {
	client *ent.Client
	queue  chan *member
	ended  <-chan struct{}
}

// A member is one transaction in the queue.
type member struct {
	ctx   context.Context //nolint:containedctx // of the call whose goroutine waits for the answer
	body  func(*ent.Tx) error
	taken atomic.Bool // by the group, or by a caller who goes
	done  chan error
	panic any // for the goroutine of the caller; nil: there was none
}

// newGroup begins to serve, until the channel is closed.
func newGroup(ctx context.Context, client *ent.Client, ended <-chan struct{}) *group {
	g := &group{client: client, queue: make(chan *member), ended: ended}
	go g.serve(ctx)
	return g
}

// transact is an [tx.Transactor]. Who waits for the writer leaves when ctx ends.
func (g *group) transact(ctx context.Context, body func(*ent.Tx) error) error {
	m := &member{ctx: ctx, body: body, done: make(chan error, 1)}
	select {
	case g.queue <- m:
	case <-ctx.Done():
		return fmt.Errorf("begin: %w", ctx.Err())
	case <-g.ended:
		return fmt.Errorf("begin: %w", errEnded)
	}
	err := m.wait()
	switch {
	case m.panic != nil:
		panic(m.panic) //nolint:forbidigo // the caller's own, on its way on
	case errors.Is(err, errAlone):
		return tx.InTx(ctx, g.client, body)
	default:
		return err
	}
}

// wait returns what became of the transaction. Once it has begun that is as
// near as the commit, and no error of the context may hide it.
func (m *member) wait() error {
	select {
	case err := <-m.done:
		return err
	case <-m.ctx.Done():
		if m.taken.CompareAndSwap(false, true) {
			return fmt.Errorf("begin: %w", m.ctx.Err())
		}
		return <-m.done
	}
}

func (g *group) serve(ctx context.Context) {
	for {
		select {
		case m := <-g.queue:
			g.commit(ctx, m)
		case <-g.ended:
			return
		}
	}
}

// commit runs first, and all that have come by the time the writer is free.
func (g *group) commit(ctx context.Context, first *member) {
	members := []*member{first}
	err := tx.InTx(ctx, g.client, func(tx *ent.Tx) error {
		members = g.gather(members)
		for _, m := range members {
			if err := m.run(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(members) > 1 {
		err = errAlone
	}
	for _, m := range members {
		m.done <- err
	}
}

// gather adds who waits.
func (g *group) gather(members []*member) []*member {
	for len(members) < maxGroup {
		select {
		case m := <-g.queue:
			members = append(members, m)
		default:
			return members
		}
	}
	return members
}

// run runs the body, unless the caller has gone. A panic goes on in the goroutine
// of the caller, and nowhere else.
func (m *member) run(tx *ent.Tx) (err error) {
	if !m.taken.CompareAndSwap(false, true) {
		return nil
	}
	defer func() {
		if m.panic = recover(); m.panic != nil {
			err = errPanic
		}
	}()
	return errors.Join(m.body(tx), m.ctx.Err())
}
