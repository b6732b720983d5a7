package secret

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// recordInterval is how long a server relies on a key being recorded as in use.
// Removing a key removes the record, perhaps while a server that cannot read its
// keyset file still seals with that key.
const recordInterval = 10 * time.Second

// KeysInUse is where a database keeps the ids of the keys that have sealed its data.
type KeysInUse struct {
	// Record stores an id, in a transaction of its own. An id that is there is no
	// error.
	Record func(ctx context.Context, id uint32) error
	// List returns all ids.
	List func(ctx context.Context) ([]uint32, error)
}

// recording says when a key was recorded as in use.
type recording struct {
	id uint32
	at time.Time
}

// Bind ties k to a database. From then on k records a key before it seals with it,
// and does not take over a keyset file that lacks a key in use. Call it before k is
// shared.
func (k *Keyset) Bind(use KeysInUse) { k.use = use }

// A Sealer seals with the key that was the primary one when it was made. Use it
// within seconds: WaitForReaders does not wait for longer.
type Sealer struct{ content *loaded }

// Sealer returns the primary key, which is recorded as in use. It may read and write
// the database: call it before a transaction and not inside.
func (k *Keyset) Sealer(ctx context.Context) (Sealer, error) {
	seen, err := k.latest(ctx)
	if err == nil {
		err = k.record(ctx, seen.current.primary())
	}
	if err != nil {
		return Sealer{}, fmt.Errorf("get sealing key: %w", err)
	}
	return Sealer{seen.current}, nil
}

// KeyID returns the id of the key.
func (s Sealer) KeyID() uint32 { return s.content.primary() }

// record records a key as in use unless this process has done so a short time ago.
func (k *Keyset) record(ctx context.Context, id uint32) error {
	last, now := k.recorded.Load(), time.Now()
	switch {
	case k.use.Record == nil:
		return nil
	case last == nil || last.id != id: // everyone waits for the first record
	case now.Sub(last.at) < recordInterval || !k.recorded.CompareAndSwap(last, &recording{id, now}):
		return nil
	}
	if err := k.use.Record(ctx, id); err != nil {
		return err
	}
	k.recorded.Store(&recording{id, now})
	return nil
}

// keysInUse returns the ids of the keys that have sealed something in the database.
// It is empty without one.
func (k *Keyset) keysInUse(ctx context.Context) ([]uint32, error) {
	if k.use.List == nil {
		return nil, nil
	}
	return k.use.List(ctx)
}

// IsInUse reports whether a key has sealed something in the database.
func (k *Keyset) IsInUse(ctx context.Context, id uint32) (bool, error) {
	inUse, err := k.keysInUse(ctx)
	return slices.Contains(inUse, id), err
}

// Missing returns those of the ids that are no key of the keyset. Before it says so of
// one, it reads the file again.
func (k *Keyset) Missing(ids []uint32) []uint32 {
	missing := slices.DeleteFunc(slices.Clone(ids), k.view.Load().current.has)
	if len(missing) == 0 {
		return nil
	}
	return slices.DeleteFunc(missing, k.look(0).current.has)
}

// An UnknownKeyError reports that sealed data names a key that the keyset does not
// have.
type UnknownKeyError struct {
	// ID is the id of the key.
	ID uint32
}

// Error names the key.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("sealed with key %d, which the keyset does not have", e.ID)
}
