package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

const (
	// recordInterval is how long a server relies on a key being recorded as in use.
	// Removing a key removes the record, perhaps while a server that cannot read its
	// keyset file still seals with that key.
	recordInterval = 10 * time.Second
	// repeatInterval is how often the log repeats what is wrong with the keyset.
	repeatInterval = time.Minute
)

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
	content, err := k.latest(ctx)
	if err == nil {
		err = k.record(ctx, content.primary())
	}
	if err != nil {
		return Sealer{}, fmt.Errorf("get sealing key: %w", err)
	}
	return Sealer{content}, nil
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
	missing := func(content *loaded) []uint32 {
		return slices.DeleteFunc(slices.Clone(ids), content.has)
	}
	if lacking := missing(k.current.Load()); len(lacking) == 0 {
		return nil
	}
	k.look(0)
	return missing(k.current.Load())
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

// A StateError reports what an operator must put right about a keyset.
type StateError struct {
	// Missing are the keys in use that are not loaded. What they have sealed cannot be
	// shown.
	Missing []uint32
	// File says why the keyset file is not used. Nil: it is.
	File error
}

// Error says what is wrong and what to do.
func (e *StateError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, fmt.Sprintf("the keyset lacks keys that are in use, and what they have sealed cannot be shown: "+
			"put the newest copy of the keyset in its place; missing: %s", joinIDs(e.Missing)))
	}
	if e.File != nil {
		parts = append(parts, fmt.Sprintf("the keyset file is not used, and what was loaded before stays: %v", e.File))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns why the keyset file is not used.
func (e *StateError) Unwrap() error { return e.File }

func joinIDs(ids []uint32) string { return strings.Trim(fmt.Sprint(ids), "[]") }

// Check reads the keyset file and takes it over, if it may. It returns a
// [*StateError] if the file is not used or a key in use is not loaded, and another
// error if the database does not answer.
func (k *Keyset) Check(ctx context.Context) error {
	seen := k.look(0)
	content, err := k.latest(ctx)
	if err != nil {
		return err
	}
	inUse, err := k.keysInUse(ctx)
	if err != nil {
		return err
	}
	state := &StateError{Missing: k.Missing(inUse), File: seen.err}
	if seen.content != nil && len(content.without(seen.content)) > 0 {
		state.File = fmt.Errorf("%s is an older copy: it lacks keys that are in use", k.path)
	}
	if len(state.Missing) == 0 && state.File == nil {
		return nil
	}
	return state
}

// Run follows the keyset file until ctx ends, also while nothing is sealed. It logs
// what is wrong with it, again every minute.
func (k *Keyset) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	last, at := "", time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var state *StateError
		err := k.Check(ctx)
		switch {
		case errors.As(err, &state):
			if text := state.Error(); text != last || time.Since(at) >= repeatInterval {
				log.ErrorContext(ctx, "the keyset needs an operator", "error", text)
				last, at = text, time.Now()
			}
		case err == nil && last != "":
			log.InfoContext(ctx, "the keyset is complete again")
			last = ""
		}
	}
}
