package oauthclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	// Clock is the time. Nil: time.Now.
	Clock func() time.Time
}

// A Store keeps the clients. It is safe for concurrent use.
type Store struct {
	write, read *ent.Client
	keyset      *secret.Keyset
	prefix      string
	clock       func() time.Time
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
	return &Store{
		write:  config.Write,
		read:   config.Read,
		keyset: config.Keyset,
		prefix: config.SecretPrefix,
		clock:  config.Clock,

		statements: newStatements(),
	}, nil
}

// inTx runs body in one transaction: committed if body returns nil, rolled back
// otherwise, also when body panics. The verb phrase goes into unknown errors.
func (s *Store) inTx(ctx context.Context, verb string, body func(*ent.Tx) error) error {
	tx, err := s.write.Tx(ctx)
	if err != nil {
		return fromEnt(verb, fmt.Errorf("begin: %w", err))
	}
	// After a commit this does nothing, and a failure has nobody to tell: the
	// database rolls back by itself when the connection goes.
	defer tx.Rollback() //nolint:errcheck // see above
	if err := body(tx); err != nil {
		return fromEnt(verb, because(ctx, err))
	}
	if err := tx.Commit(); err != nil {
		return fromEnt(verb, because(ctx, fmt.Errorf("commit: %w", err)))
	}
	return nil
}

// because adds why the context ended: database/sql rolls back on its own then,
// and what fails next says only that the transaction is over.
func because(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
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
