package auth

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	refreshInterval  = 5 * time.Minute
	refreshJitter    = 30 * time.Second
	maxRetryInterval = 30 * time.Second
	// minWishInterval is the least time between a fetch and one that tokens
	// with unknown key ids, which anyone can send, bring about.
	minWishInterval = 30 * time.Second
	maxKeyAge       = 24 * time.Hour
)

// RemoteConfig says where the keys of an issuer are.
type RemoteConfig struct {
	// Issuer is the URL of the issuer, as in the `iss` claim of its tokens.
	// Unless JWKSURL is given its metadata is discovered: by OpenID Connect
	// Discovery 1.0, then by RFC 8414.
	Issuer string
	// JWKSURL is the URL of the issuer's key set. Empty: by discovery.
	JWKSURL string
	// Timeout bounds each HTTP request. Zero: 5 s.
	Timeout time.Duration
	// Logger hears of keys loaded and of failures. Nil: nobody does.
	Logger *slog.Logger
}

// RemoteKeys holds the public keys of one issuer in memory and keeps them
// fresh: [RemoteKeys.Run] fetches, [RemoteKeys.Key] never waits for it. It is
// safe for concurrent use.
type RemoteKeys struct {
	issuer  *url.URL
	name    string
	jwksURL string
	client  *http.Client
	logger  *slog.Logger

	current atomic.Pointer[keySet]
	// wished holds at most one wish for a fetch ahead of time.
	wished chan struct{}
}

// keySet is what the last successful fetch brought.
type keySet struct {
	keys    map[string]*rsa.PublicKey
	fetched time.Time // zero: never
	failing bool      // whether a later fetch, or the first, has failed
}

// NewRemoteKeys refuses URLs that are not absolute https URLs, or http URLs
// of a loopback host. Nothing is fetched before Run.
func NewRemoteKeys(cfg RemoteConfig) (*RemoteKeys, error) {
	issuer, err := parseIssuer(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	if cfg.JWKSURL != "" {
		if _, err := parseEndpoint(cfg.JWKSURL); err != nil {
			return nil, err
		}
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &RemoteKeys{
		issuer:  issuer,
		name:    cfg.Issuer,
		jwksURL: cfg.JWKSURL,
		client:  newClient(cfg.Timeout),
		logger:  logger.With("issuer", cfg.Issuer),
		wished:  make(chan struct{}, 1),
	}
	r.current.Store(&keySet{failing: true})
	return r, nil
}

// Key returns the key of that id, at once. A key it does not hold is
// [ErrUnknownKey], or [ErrKeysUnavailable] if the last fetch failed or there
// was none, and makes Run look for it, at most once in 30 s. Keys outlive
// failing fetches by 24 h.
func (r *RemoteKeys) Key(_ context.Context, keyID string) (*rsa.PublicKey, error) {
	set := r.current.Load()
	stale := time.Since(set.fetched) > maxKeyAge
	if key, ok := set.keys[keyID]; ok && !stale {
		return key, nil
	}
	select {
	case r.wished <- struct{}{}:
	default:
	}
	if set.failing || stale {
		return nil, ErrKeysUnavailable
	}
	return nil, ErrUnknownKey
}

// Ready says whether keys were ever fetched.
func (r *RemoteKeys) Ready() bool {
	return !r.current.Load().fetched.IsZero()
}

// Run fetches the keys now and about every 5 minutes, after a failure again
// within seconds, until the context ends. Run it once, in its own goroutine.
func (r *RemoteKeys) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		if err := r.refresh(ctx); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			r.logger.Warn("fetch signing keys", "error", err, "failures", failures)
		}
		r.pause(ctx, untilNextFetch(failures))
	}
}

// refresh fetches the keys. If that fails the last good ones stay.
func (r *RemoteKeys) refresh(ctx context.Context) error {
	select {
	case <-r.wished: // this fetch fulfils it
	default:
	}
	last := r.current.Load()
	keys, err := r.fetchKeys(ctx)
	if err != nil {
		r.current.Store(&keySet{keys: last.keys, fetched: last.fetched, failing: true})
		return err
	}
	r.current.Store(&keySet{keys: keys, fetched: time.Now()})
	if last.failing {
		r.logger.Info("fetched signing keys", "keys", len(keys))
	}
	return nil
}

// pause waits for the next regular fetch or, once enough time has passed
// since the last one, for a wish.
func (r *RemoteKeys) pause(ctx context.Context, regular time.Duration) {
	var (
		next   = time.After(regular)
		rested = time.After(minWishInterval)
		wished <-chan struct{} // nil, so never ready, until rested
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-next:
			return
		case <-wished:
			return
		case <-rested:
			wished = r.wished
		}
	}
}

// untilNextFetch doubles from a second after failures. The jitter keeps
// replicas from fetching all at once.
func untilNextFetch(failures int) time.Duration {
	if failures > 0 {
		return min(time.Second<<min(failures-1, 10), maxRetryInterval)
	}
	return refreshInterval + rand.N(refreshJitter) //nolint:gosec // G404: jitter need not be unpredictable.
}
