package abuse_test

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clientsd/server/abuse"
)

// A clock stands still unless a test moves it.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// use counts failures and fails the test if one is out of bounds.
func use(t *testing.T, f *abuse.Failures, failures int, keys ...string) {
	t.Helper()
	for i := range failures {
		if wait := f.Count(keys...); wait != 0 {
			t.Fatalf("failure %d of %v: wait %v", i+1, keys, wait)
		}
	}
}

func wantWait(t *testing.T, f *abuse.Failures, want time.Duration, keys ...string) {
	t.Helper()
	if got := f.Count(keys...); got.Round(time.Microsecond) != want {
		t.Errorf("%v: wait %v, want %v", keys, got, want)
	}
}

func TestCount_TenSecondsWorthMayFailTogether(t *testing.T) {
	for _, perSecond := range []int{1, 2, 20} {
		t.Run(fmt.Sprintf("%d a second", perSecond), func(t *testing.T) {
			f := abuse.New(perSecond, newClock().now, slog.New(slog.DiscardHandler))
			use(t, f, 10*perSecond, "key")
			wantWait(t, f, time.Second/time.Duration(perSecond), "key")
		})
	}
}

func TestCount_WaitingHelpsAndFailingMeanwhileDoesNotProlongIt(t *testing.T) {
	at := newClock()
	f := abuse.New(2, at.now, slog.New(slog.DiscardHandler))
	use(t, f, 20, "key")
	for range 100 {
		wantWait(t, f, 500*time.Millisecond, "key")
	}
	at.Time = at.Add(300 * time.Millisecond)
	wantWait(t, f, 200*time.Millisecond, "key")
	at.Time = at.Add(200 * time.Millisecond)
	use(t, f, 1, "key")
	wantWait(t, f, 500*time.Millisecond, "key")
	at.Time = at.Add(time.Hour)
	use(t, f, 20, "key")
	wantWait(t, f, 500*time.Millisecond, "key")
}

func TestCount_EachKeyHasItsOwnBoundAndTheLongestWaitCounts(t *testing.T) {
	at := newClock()
	f := abuse.New(1, at.now, slog.New(slog.DiscardHandler))
	use(t, f, 10, "first")
	wantWait(t, f, time.Second, "first")
	use(t, f, 5, "second")
	wantWait(t, f, time.Second, "second", "first")
	wantWait(t, f, time.Second, "first", "second")
	use(t, f, 3, "second") // two of its ten were used together with the first
	wantWait(t, f, time.Second, "second")
	use(t, f, 1, "third")
}

// Forgetting gives a full bucket, never an empty one.
func TestCount_ForgetsTheKeyThatWasQuietLongest(t *testing.T) {
	f := abuse.New(1, newClock().now, slog.New(slog.DiscardHandler))
	use(t, f, 10, "quiet")
	use(t, f, 10, "busy")
	for i := range 16384 {
		wantWait(t, f, time.Second, "busy")
		use(t, f, 1, strconv.Itoa(i))
	}
	wantWait(t, f, time.Second, "busy")
	use(t, f, 10, "quiet")
}

func TestCount_ConcurrentFailuresGetNoMoreThanTheBurst(t *testing.T) {
	f := abuse.New(5, newClock().now, slog.New(slog.DiscardHandler))
	var within atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if f.Count("key") == 0 {
					within.Add(1)
				}
			}
		})
	}
	group.Wait()
	if got := within.Load(); got != 50 {
		t.Errorf("%d failures were within bounds, want 50", got)
	}
}
