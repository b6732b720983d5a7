// Package turns shares a few places among organisations, so that one with many
// calls does not delay the others.
//
// It must not know what a place is for.
package turns

import (
	"context"
	"slices"
	"sync"
)

// A Queue gives places to calls. Organisations that wait take turns: between two
// calls of one organisation, each other that waits has one. An organisation takes a
// place only while more places are free than it has, so that some stay free for
// others however long its calls take. It is safe for concurrent use.
type Queue struct {
	mu   sync.Mutex
	free int
	// lines are the organisations with calls, in the order of their turns.
	lines []*line
}

// A line is the calls of one organisation: those with a place, and those that
// wait, the oldest first.
type line struct {
	organisation string
	placed       int
	waiting      []chan struct{} // each closed when its call has a place
}

// New returns a Queue with this many places.
func New(places int) *Queue { return &Queue{free: places} }

// Take waits for a place for the organisation and returns the function that gives
// it back. When ctx ends first, it returns the error of ctx.
func (q *Queue) Take(ctx context.Context, organisation string) (end func(), err error) {
	l, turn := q.join(organisation)
	select {
	case <-turn:
		return func() { q.leave(l) }, nil
	case <-ctx.Done():
		if !q.giveUp(l, turn) {
			q.leave(l) // the turn began at the same moment
		}
		return nil, ctx.Err()
	}
}

// join adds a call to the line of its organisation.
func (q *Queue) join(organisation string) (*line, chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.lines, func(l *line) bool { return l.organisation == organisation })
	if i < 0 {
		i = len(q.lines)
		q.lines = append(q.lines, &line{organisation: organisation})
	}
	l, turn := q.lines[i], make(chan struct{})
	l.waiting = append(l.waiting, turn)
	q.place()
	return l, turn
}

// leave gives a place back. The organisation goes to the end of the lines.
func (q *Queue) leave(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	l.placed--
	q.toEnd(l)
	q.place()
}

// giveUp removes a call that waits and reports whether it did wait.
func (q *Queue) giveUp(l *line, turn chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(l.waiting, turn)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if l.isEmpty() {
		q.remove(l)
	}
	return true
}

// place gives the free places to those whose turn it is.
func (q *Queue) place() {
	for {
		i := slices.IndexFunc(q.lines, func(l *line) bool { return len(l.waiting) > 0 && l.placed < q.free })
		if i < 0 {
			return
		}
		l := q.lines[i]
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.placed++
		q.free--
		q.toEnd(l)
	}
}

// toEnd makes the turn of an organisation the last, or forgets it if it has no
// calls left.
func (q *Queue) toEnd(l *line) {
	q.remove(l)
	if !l.isEmpty() {
		q.lines = append(q.lines, l)
	}
}

func (q *Queue) remove(l *line) {
	q.lines = slices.DeleteFunc(q.lines, func(other *line) bool { return other == l })
}

func (l *line) isEmpty() bool { return l.placed == 0 && len(l.waiting) == 0 }
