package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/secret"
)

// Config is what a Store works with. Every field but Clock is required.
type Config struct {
	// Write is where every mutation's transaction begins.
	Write *ent.Client
	// Read answers plain reads. It must see every transaction that was
	// committed before the read, so it is never a replica that lags.
	Read *ent.Client
	// Keyset seals the secrets.
	Keyset *secret.Keyset
	// SecretPrefix starts the secrets made from now on; earlier ones keep theirs.
	SecretPrefix string
	// MaxOverlap bounds how long a previous secret may stay valid. 0: not at all.
	MaxOverlap time.Duration
	// Clock is the time. Nil: time.Now.
	Clock func() time.Time
	// Log hears of what fails without failing the call. Nil: slog.Default.
	Log *slog.Logger
}

// A Store keeps the clients. It is safe for concurrent use.
type Store struct {
	write, read *ent.Client
	keyset      *secret.Keyset
	prefix      string
	maxOverlap  time.Duration
	clock       func() time.Time
	log         *slog.Logger
	statements  statements
}

// NewStore makes a Store. It fails if the secret prefix is not one
// [secret.ValidatePrefix] accepts.
func NewStore(config Config) (*Store, error) {
	if err := secret.ValidatePrefix(config.SecretPrefix); err != nil {
		return nil, err
	}
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Store{
		write:  config.Write,
		read:   config.Read,
		keyset: config.Keyset,
		prefix: config.SecretPrefix,
		clock:  config.Clock,
		log:    config.Log,

		maxOverlap: config.MaxOverlap,
		statements: newStatements(),
	}, nil
}

// inTx runs body in one transaction. The verb phrase goes into unknown errors.
func (s *Store) inTx(ctx context.Context, verb string, body func(*ent.Tx) error) error {
	return fromEnt(verb, ent.InTx(ctx, s.write, body))
}

// newSecret makes a secret for a client together with what the row keeps of it.
func (s *Store) newSecret(clientID uuid.UUID) (issued, error) {
	plain := secret.Generate(s.prefix)
	digest := secret.DigestOf(clientID, plain)
	sealed, err := s.keyset.Seal(clientID, digest, plain)
	if err != nil {
		return issued{}, fmt.Errorf("seal secret: %w", err)
	}
	return issued{plain: plain, digest: digest[:], sealed: sealed}, nil
}

// issued is a new secret and what the database keeps of it.
type issued struct {
	plain          secret.Secret
	digest, sealed []byte
}

// open shows the secret on a row, or ErrDamagedSecret.
func (s *Store) open(row *Client) (secret.Secret, error) {
	plain, err := s.keyset.Open(row.ID, row.SecretDigest, row.SecretSealed)
	if errors.Is(err, secret.ErrDamaged) {
		return secret.Secret{}, ErrDamagedSecret
	}
	return plain, err
}
