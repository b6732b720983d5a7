// Package issuer is the built-in issuer of access tokens, for those who have no
// other: its RSA keys lie sealed in the database, their public halves are served
// as a JWKS, and `clientsd token` mints with the newest.
//
// It imports ent and secret; it knows nothing of clients or of HTTP.
package issuer

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"clientsd/ent"
	"clientsd/ent/signingkey"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

const (
	// missInterval bounds how often a key id nobody knows, which anyone can
	// send, brings about a read of the database.
	missInterval = time.Second
	// listInterval is how old the known keys may be.
	listInterval = 10 * time.Second
	// logInterval bounds how often the log says that the keys cannot be read again.
	logInterval = time.Minute
)

// ErrNoKey says that the database holds no signing key yet.
var ErrNoKey = errors.New("there is no signing key yet: clientsd serve makes one")

// A Database is where the signing keys are.
type Database struct {
	// Read sees every transaction that was committed before the read.
	Read *ent.Client
	// Transact runs transactions whose outcome is as if they ran one by one.
	Transact tx.Transactor
	// Log receives why the keys could not be read again. Nil: slog.Default.
	Log *slog.Logger
}

// An Issuer signs access tokens and knows the keys they are verified with. Keys
// that another process adds become known by themselves. It is safe for
// concurrent use.
type Issuer struct {
	db         Database
	keyset     *secret.Keyset
	current    atomic.Pointer[keys]
	missLimit  rate.Sometimes
	logLimit   rate.Sometimes
	refreshing sync.Mutex // held while keys that are too old are replaced
}

// Open loads the signing keys; the newest one signs.
//
// Errors: ErrNoKey; [secret.ErrDamaged] or [*secret.UnknownKeyError] if a key does not
// open.
func Open(ctx context.Context, db Database, keyset *secret.Keyset) (*Issuer, error) {
	if db.Log == nil {
		db.Log = slog.Default()
	}
	i := &Issuer{db: db, keyset: keyset, missLimit: rate.Sometimes{Interval: missInterval}, logLimit: rate.Sometimes{Interval: logInterval}}
	if err := i.reload(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// Name returns the iss of the tokens. It is created with the first key and stays.
func (i *Issuer) Name() string { return i.current.Load().name }

// Key returns the public key with the given id, or nil if there is none or the
// last token it has signed has expired.
func (i *Issuer) Key(ctx context.Context, keyID string) *rsa.PublicKey {
	if key := i.latest(ctx).valid(keyID); key != nil {
		return key
	}
	// Who gives up waiting must not make the key unknown to the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), missInterval)
	defer cancel()
	i.missLimit.Do(func() { i.refresh(ctx) })
	return i.current.Load().valid(keyID)
}

// Loaded returns when the keys were last read. A key created later is not known.
func (i *Issuer) Loaded() time.Time { return i.current.Load().loaded }

// JWKS returns the document of the public keys (RFC 7517). If the database does not
// answer it is the last one that is known.
func (i *Issuer) JWKS(ctx context.Context) []byte {
	return i.latest(ctx).jwks
}

// latest returns the known keys, read again if they are too old. Only one
// caller waits for that.
func (i *Issuer) latest(ctx context.Context) *keys {
	if time.Since(i.current.Load().loaded) > listInterval && i.refreshing.TryLock() {
		defer i.refreshing.Unlock()
		i.refresh(ctx)
	}
	return i.current.Load()
}

// refresh reads the keys again. If it cannot, the keys that are known still verify.
func (i *Issuer) refresh(ctx context.Context) {
	if err := i.reload(ctx); err != nil {
		i.logLimit.Do(func() {
			i.db.Log.ErrorContext(ctx, "the signing keys of the built-in issuer could not be read again", "error", err)
		})
	}
}

// reload reads the keys. If the newest private key does not open, the public ones
// are known all the same: tokens that another process signs with it verify.
func (i *Issuer) reload(ctx context.Context) error {
	begun := time.Now()
	rows, err := i.db.Read.SigningKey.Query().Order(signingkey.ByCreatedAt(), signingkey.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	if len(rows) == 0 {
		return ErrNoKey
	}
	loaded, err := newKeys(rows, i.keyset, begun)
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	i.current.Store(loaded)
	if loaded.privateErr != nil {
		return fmt.Errorf("load signing keys: %w", loaded.privateErr)
	}
	return nil
}
