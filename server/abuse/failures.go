// Package abuse counts failed attempts. It slows down callers that fail too often
// (Count) and logs denied calls, folded (Log), so that an attacker neither goes
// unseen nor fills the disk.
//
// Only failures count, and a call that would succeed always does: nobody can lock
// somebody else out by failing in their place.
//
// It must not know the wire or what a failure is: callers name what they count.
package abuse

import (
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// burst is how many seconds' worth of failures may come together.
	burst = 10
	// maxBuckets bounds the keys that are counted. The key that was quiet for the
	// longest time is forgotten and starts again with a full bucket.
	maxBuckets = 16384
)

// Failures counts the failures of one server. It is safe for concurrent use.
type Failures struct {
	rate    rate.Limit
	now     func() time.Time
	log     *slog.Logger
	mu      sync.Mutex
	buckets *lru.Cache[string, *rate.Limiter]
	folded  map[Denial]int // how many more there were after the first
}

// New returns Failures that allow perSecond failures a second for each key, and
// ten times as many together.
func New(perSecond int, now func() time.Time, log *slog.Logger) *Failures {
	buckets, _ := lru.New[string, *rate.Limiter](maxBuckets) // fails only for a size below one
	return &Failures{rate: rate.Limit(perSecond), now: now, log: log, buckets: buckets, folded: make(map[Denial]int)}
}

// Count counts one failure under each key. It returns zero or, if one of the keys
// has had too many, how long to wait until the next failure is within bounds.
func (f *Failures) Count(keys ...string) time.Duration {
	now, wait := f.now(), time.Duration(0)
	for _, key := range keys {
		if bucket := f.bucket(key); !bucket.AllowN(now, 1) {
			missing := 1 - bucket.TokensAt(now)
			wait = max(wait, time.Duration(missing/float64(f.rate)*float64(time.Second)))
		}
	}
	return wait
}

func (f *Failures) bucket(key string) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bucket, ok := f.buckets.Get(key); ok {
		return bucket
	}
	bucket := rate.NewLimiter(f.rate, burst*int(f.rate))
	f.buckets.Add(key, bucket)
	return bucket
}
