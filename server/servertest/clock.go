package servertest

import (
	"sync/atomic"
	"time"

	"clientsd/server"
)

// Fuse is a clock that breaks when it is read for the n-th time from now.
type Fuse struct{ left atomic.Int64 }

func (f *Fuse) Light(n int64) { f.left.Store(n) }

func (f *Fuse) Now() time.Time {
	if f.left.Add(-1) == 0 {
		panic("the clock at /etc/localtime broke: SELECT now()") // what these tests are about
	}
	return time.Now()
}

// StopClock gives a server a clock that moves only when it is told to. It shows
// 257,891 microseconds, so that a face that rounds shows.
func StopClock() (*StoppedClock, func(*server.Config)) {
	c := &StoppedClock{}
	c.Set(time.Now().Truncate(time.Second).Add(257891 * time.Microsecond))
	return c, func(config *server.Config) { config.Clock = c.Now }
}

type StoppedClock struct{ at atomic.Pointer[time.Time] }

func (c *StoppedClock) Set(t time.Time) { c.at.Store(&t) }

func (c *StoppedClock) Now() time.Time { return *c.at.Load() }

// TickingClock gives the server a clock on which what happens later has a later
// time, however little later.
func TickingClock(config *server.Config) {
	var ticks atomic.Int64
	config.Clock = func() time.Time { return time.Now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
}
