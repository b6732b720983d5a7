package logo

import (
	"context"
	"slices"
	"sync"
)

// Turns lets one call at a time work on an image, because one image may take 200
// MiB and half a second. Organisations take turns: between two uploads of one
// organisation, each other that waits has one. The zero Turns is ready to use.
type Turns struct {
	mu sync.Mutex
	// lines are the organisations with calls, in the order of their turns. The
	// first one has the turn.
	lines []*line
}

// A line is the calls of one organisation that wait, the oldest first.
type line struct {
	organisation string
	waiting      []chan struct{} // each closed when its turn begins
}

// Take waits for a turn of the organisation and returns the function that ends
// it. When ctx ends first, it returns the error of ctx.
func (t *Turns) Take(ctx context.Context, organisation string) (end func(), err error) {
	turn := t.join(organisation)
	select {
	case <-turn:
		return t.next, nil
	case <-ctx.Done():
		if !t.leave(turn) {
			t.next() // the turn began at the same moment
		}
		return nil, ctx.Err()
	}
}

// join adds a call to the line of its organisation.
func (t *Turns) join(organisation string) (turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn = make(chan struct{})
	if len(t.lines) == 0 {
		t.lines = append(t.lines, &line{organisation: organisation})
		close(turn)
		return turn
	}
	i := slices.IndexFunc(t.lines, func(l *line) bool { return l.organisation == organisation })
	if i < 0 {
		i = len(t.lines)
		t.lines = append(t.lines, &line{organisation: organisation})
	}
	t.lines[i].waiting = append(t.lines[i].waiting, turn)
	return turn
}

// next ends a turn and begins the one of the next organisation.
func (t *Turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines[1:], t.lines[0])
	t.lines = slices.DeleteFunc(t.lines, func(l *line) bool { return len(l.waiting) == 0 })
	if len(t.lines) == 0 {
		return
	}
	first := t.lines[0]
	close(first.waiting[0])
	first.waiting = first.waiting[1:]
}

// leave removes a call that waits and reports whether it did wait.
func (t *Turns) leave(turn chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		if i := slices.Index(l.waiting, turn); i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
			return true
		}
	}
	return false
}
