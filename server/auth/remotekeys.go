package auth

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
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
	// loudFailures is how many failures of a row are logged each; then one line in
	// that many is enough.
	loudFailures = 10
)

// errNoKeys means that the issuer was reached, and that none of its tokens can be
// verified.
var errNoKeys = errors.New("the issuer publishes no key that can be used")

// RemoteConfig says where the keys of an issuer are.
type RemoteConfig struct {
	// Issuer is the URL of the issuer, as in the `iss` claim of its tokens.
	// Unless JWKSURL is given its metadata is discovered: by OpenID Connect
	// Discovery 1.0, then by RFC 8414.
	Issuer string
	// JWKSURL is the URL of the issuer's key set. Empty: by discovery.
	JWKSURL string
	// Algorithms are those that the keys are to verify. Empty: [DefaultAlgorithm].
	Algorithms []string
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

	algorithms []string
	failures   atomic.Uint64
	// next is before which time no wish brings about a fetch. Nil: one is under way.
	next atomic.Pointer[time.Time]

	current atomic.Pointer[keySet]
	// wished holds at most one wish for a fetch ahead of time.
	wished chan struct{}
}

// keySet is what the last successful fetch brought.
type keySet struct {
	keyDocument

	fetched time.Time // when the fetch began; zero: never
	failing bool      // whether a later fetch, or the first, has failed
}

// usable reports whether the keys may be used: they outlive failing fetches by
// 24 h.
func (s *keySet) usable() bool {
	return time.Since(s.fetched) <= maxKeyAge
}

// names reports whether the issuer publishes a key of that id, for whatever use.
func (s *keySet) names(keyID string) bool {
	for ref := range s.keys {
		if ref.ID == keyID {
			return true
		}
	}
	return slices.ContainsFunc(s.skipped, func(key skippedKey) bool { return key.ID == keyID })
}

// Validate refuses URLs that are not absolute https URLs, or http URLs of a
// loopback host.
func (c RemoteConfig) Validate() error {
	if _, err := parseIssuer(c.Issuer); err != nil {
		return err
	}
	if c.JWKSURL == "" {
		return nil
	}
	_, err := parseEndpoint(c.JWKSURL)
	return err
}

// NewRemoteKeys returns keys of which none is fetched before Run. Errors: those of
// RemoteConfig.Validate.
func NewRemoteKeys(cfg RemoteConfig) (*RemoteKeys, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	issuer, err := parseIssuer(cfg.Issuer)
	if err != nil {
		return nil, err
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

		algorithms: TokenFormat{Algorithms: cfg.Algorithms}.withDefaults().Algorithms,
	}
	r.current.Store(&keySet{failing: true})
	return r, nil
}

// Key returns the key of that name, immediately. A key it does not hold is an
// [UnknownKeyError], or an [UnavailableError] if the last fetch failed or there was
// none, and makes Run look for it, at most once in 30 s. A key that the issuer
// publishes for something else is [ErrUnusableKey]. Keys outlive failing fetches by
// 24 h.
func (r *RemoteKeys) Key(_ context.Context, ref KeyRef) (crypto.PublicKey, error) {
	set := r.current.Load()
	if key, ok := set.keys[ref]; ok && set.usable() {
		return key, nil
	}
	if !set.failing && set.usable() && set.names(ref.ID) {
		return nil, ErrUnusableKey
	}
	select {
	case r.wished <- struct{}{}:
	default:
	}
	if set.failing || !set.usable() {
		return nil, &UnavailableError{Description: ErrKeysUnavailable.Error(), RetryAfter: r.untilAsked()}
	}
	return nil, &UnknownKeyError{AsOf: set.fetched, RetryAfter: r.untilAsked()}
}

// untilAsked returns how long it takes, at least a second, until the issuer has
// been asked again.
func (r *RemoteKeys) untilAsked() time.Duration {
	if next := r.next.Load(); next != nil {
		return max(time.Second, time.Until(*next))
	}
	return time.Second
}

// Usable returns how many keys tokens can be verified with now. A key that
// verifies two algorithms counts for each.
func (r *RemoteKeys) Usable() int {
	set := r.current.Load()
	if !set.usable() {
		return 0
	}
	return len(set.keys)
}

// Failures returns how many fetches have failed, or have brought no key that can
// be used.
func (r *RemoteKeys) Failures() uint64 { return r.failures.Load() }

// Name returns the name of the issuer.
func (r *RemoteKeys) Name() string { return r.name }

// Run fetches the keys now and about every 5 minutes, after a failure again
// within seconds, until the context ends. Run it once, in its own goroutine.
func (r *RemoteKeys) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		if err := r.refresh(ctx); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			r.warn(err, failures)
		}
		r.pause(ctx, untilNextFetch(failures))
	}
}

// warn says that an issuer is away, again and again but less and less often, and
// what becomes of its tokens.
func (r *RemoteKeys) warn(err error, failures int) {
	r.failures.Add(1)
	if failures > loudFailures && failures%loudFailures != 0 {
		return
	}
	answer := "its tokens are answered unavailable"
	switch {
	case errors.Is(err, errNoKeys):
		answer = "its tokens are refused"
	case r.Usable() > 0:
		answer = "its tokens are verified with the keys of the last fetch"
	}
	r.logger.Warn("cannot fetch the signing keys of an issuer: "+answer, "error", err, "failures", failures)
}

// refresh fetches the keys. If that fails the last good ones stay; that there are
// none is an answer too.
func (r *RemoteKeys) refresh(ctx context.Context) error {
	select {
	case <-r.wished: // this fetch fulfils it
	default:
	}
	last, begun := r.current.Load(), time.Now()
	r.next.Store(nil)
	found, err := r.fetchKeys(ctx)
	if err != nil {
		r.current.Store(&keySet{keyDocument: last.keyDocument, fetched: last.fetched, failing: true})
		return err
	}
	r.current.Store(&keySet{keyDocument: found, fetched: begun})
	r.report(last, found)
	if len(found.keys) == 0 {
		return errNoKeys
	}
	return nil
}

// report logs what has changed: the keys that are there again, and each key that
// was not skipped before.
func (r *RemoteKeys) report(last *keySet, found keyDocument) {
	if (last.failing || len(last.keys) == 0) && len(found.keys) > 0 {
		r.logger.Info("fetched the signing keys of an issuer", "keys", len(found.keys))
	}
	for _, key := range found.skipped {
		if !slices.Contains(last.skipped, key) {
			r.logger.Warn("skipped a key of an issuer: tokens that are signed with it are refused", "kid", key.ID, "reason", key.Reason)
		}
	}
}

// pause waits for the next regular fetch or, once enough time has passed
// since the last one, for a wish.
func (r *RemoteKeys) pause(ctx context.Context, regular time.Duration) {
	earliest := time.Now().Add(min(regular, minWishInterval))
	r.next.Store(&earliest)
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
// replicas from fetching in the same moment.
func untilNextFetch(failures int) time.Duration {
	if failures > 0 {
		return min(time.Second<<min(failures-1, 10), maxRetryInterval)
	}
	return refreshInterval + rand.N(refreshJitter) //nolint:gosec // G404: jitter need not be unpredictable.
}
