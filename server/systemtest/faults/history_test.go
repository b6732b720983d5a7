package faults_test

import (
	"sync"

	"github.com/google/uuid"
)

// An outcome is what a caller knows of a rotation it has asked for.
type outcome int

const (
	// open: nobody has said whether it took place.
	open outcome = iota
	// acknowledged: it took place, and the caller has its version and its secret.
	acknowledged
	// superseded: it took place, and a later one has replaced its secret before
	// the caller could be told.
	superseded
	// refused: the server has given a reason why nothing was changed.
	refused
)

// A rotation is one that somebody has asked for; the creation of the client is
// the first.
type rotation struct {
	id      string // of the call; a repetition has the same
	keyed   bool   // whether the id is its idempotency key too
	outcome outcome
	version int64  // if acknowledged
	secret  string // if acknowledged
}

// A history is what callers know of one client. It is safe for concurrent use.
type history struct {
	clientID string

	mu        sync.Mutex
	rotations []rotation
	newest    rotation
}

// begin is a rotation that is about to be asked for.
func begin(keyed bool) rotation {
	return rotation{id: uuid.NewString(), keyed: keyed}
}

// add keeps a rotation, with what has come of it.
func (h *history) add(r rotation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rotations = append(h.rotations, r)
	if r.version > h.newest.version {
		h.newest = r
	}
}

// latest is the acknowledged rotation of the highest version.
func (h *history) latest() rotation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest
}

// acknowledged counts the rotations that are, without the creation.
func (h *history) acknowledged() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rotations {
		if r.outcome == acknowledged && r.version > 1 {
			n++
		}
	}
	return n
}

// secrets are all that callers were given.
func (h *history) secrets() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rotations {
		if r.secret != "" {
			all = append(all, r.secret)
		}
	}
	return all
}
