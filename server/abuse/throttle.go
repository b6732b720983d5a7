// Package abuse slows down who fails too often. Only failures count, and a
// call that would succeed always does: nobody can lock somebody else out by
// failing in their place.
//
// It knows neither the wire nor what a failure is.
package abuse

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// burst is how many seconds' worth of failures may come at once.
	burst = 10
	// remembered bounds the keys; who has been quiet the longest is forgotten,
	// and starts anew with a full bucket.
	remembered = 16384
)

// Throttle counts failures by key, in token buckets. It is safe for concurrent
// use.
type Throttle struct {
	mu      sync.Mutex
	buckets *lru.Cache[string, *rate.Limiter]
	rate    rate.Limit
	now     func() time.Time
}

// NewThrottle allows so many failures a second for each key, and ten times as many at
// once.
func NewThrottle(perSecond int, now func() time.Time) *Throttle {
	buckets, _ := lru.New[string, *rate.Limiter](remembered) // fails only for a size below one
	return &Throttle{buckets: buckets, rate: rate.Limit(perSecond), now: now}
}

// Note counts one failure under each key. It returns zero, or how long to wait
// until the next failure is within bounds, if one of the keys has had too many.
func (f *Throttle) Note(keys ...string) time.Duration {
	now, wait := f.now(), time.Duration(0)
	for _, key := range keys {
		if bucket := f.bucket(key); !bucket.AllowN(now, 1) {
			missing := 1 - bucket.TokensAt(now)
			wait = max(wait, time.Duration(missing/float64(f.rate)*float64(time.Second)))
		}
	}
	return wait
}

func (f *Throttle) bucket(key string) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bucket, ok := f.buckets.Get(key); ok {
		return bucket
	}
	bucket := rate.NewLimiter(f.rate, burst*int(f.rate))
	f.buckets.Add(key, bucket)
	return bucket
}
