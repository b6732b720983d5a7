package servertest

import (
	"sync/atomic"
	"time"

	"clientsd/server"
)

// Fuse is a clock that panics at a chosen reading, for tests of panics inside the
// server.
type Fuse struct{ left atomic.Int64 }

// Light makes the n-th reading from now panic.
func (f *Fuse) Light(n int64) { f.left.Store(n) }

// Now returns the time, or panics.
func (f *Fuse) Now() time.Time {
	if f.left.Add(-1) == 0 {
		panic("the clock at /etc/localtime broke: SELECT now()") // what these tests are about
	}
	return time.Now()
}

// StopClock returns a clock that stands still until it is set, and the option that
// gives it to a server. It shows 257,891 microseconds, so that an API that rounds
// shows it.
func StopClock() (*StoppedClock, func(*server.Config)) {
	c := &StoppedClock{}
	c.Set(time.Now().Truncate(time.Second).Add(257891 * time.Microsecond))
	return c, func(config *server.Config) { config.Clock = c.Now }
}

// A StoppedClock shows the time that a test has set.
type StoppedClock struct{ at atomic.Pointer[time.Time] }

// Set moves the clock.
func (c *StoppedClock) Set(t time.Time) { c.at.Store(&t) }

// Now returns the time that was set last.
func (c *StoppedClock) Now() time.Time { return *c.at.Load() }

// TickingClock gives the server a clock that shows a later time at each reading, so
// that the order of events shows in their times.
func TickingClock(config *server.Config) {
	var ticks atomic.Int64
	config.Clock = func() time.Time { return time.Now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
}
