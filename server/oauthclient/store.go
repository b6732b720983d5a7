package oauthclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/batch"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// Config is what a Store works with. Every field is required but those that say
// what nil means.
type Config struct {
	// Transact runs every mutation.
	Transact tx.Transactor
	// TransactStatement runs concurrent rotations in one transaction, by a statement
	// that only PostgreSQL knows. Nil: each has a transaction of its own.
	TransactStatement tx.StatementTransactor
	// Classify returns the class of an error of the database.
	Classify func(error) tx.Failure
	// Read answers plain reads. It must see every transaction that was
	// committed before the read, so it is never a replica that lags.
	Read *ent.Client
	// Keyset seals the secrets.
	Keyset *secret.Keyset
	// SecretPrefix starts the secrets made from now on; earlier ones keep theirs.
	SecretPrefix string
	// MaxOverlap bounds how long a previous secret may stay valid. 0: not at all.
	MaxOverlap time.Duration
	// MaxClients bounds the clients of an organisation. 0: no bound.
	MaxClients int
	// MaxUnpaged bounds the clients of a list without a page size. 0: 5,000.
	MaxUnpaged int
	// Clock is the time. Nil: time.Now.
	Clock func() time.Time
	// Log receives every change and released secret, and failures that do not fail
	// the call. Nil: slog.Default.
	Log *slog.Logger
}

// A Store keeps the clients. It is safe for concurrent use.
type Store struct {
	transact          tx.Transactor
	transactStatement tx.StatementTransactor
	classify          func(error) tx.Failure
	read              *ent.Client
	keyset            *secret.Keyset
	prefix            string
	maxOverlap        time.Duration
	maxClients        int
	maxUnpaged        int
	clock             func() time.Time
	log               *slog.Logger
	statements        statements
	rotations         *batch.Batcher[*rotation]
	notes             *notes
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
	s := &Store{
		transact:          config.Transact,
		transactStatement: config.TransactStatement,
		classify:          config.Classify,
		read:              config.Read,
		keyset:            config.Keyset,
		prefix:            config.SecretPrefix,
		maxOverlap:        config.MaxOverlap,
		maxClients:        config.MaxClients,
		maxUnpaged:        cmp.Or(config.MaxUnpaged, 5000),
		clock:             config.Clock,
		log:               config.Log,
		statements:        newStatements(),
	}
	s.rotations = &batch.Batcher[*rotation]{Commit: s.commitRotations, MaxConcurrent: maxRotationBatches}
	s.notes = newNotes(s.log, s.writeNote)
	return s, nil
}

// Close writes what is still to be written in the background. The database must
// be open until it returns.
func (s *Store) Close() { s.notes.close() }

// A unit is a transaction and the events that it has recorded.
type unit struct {
	*ent.Tx

	recorded []event
}

// inTx runs body in one transaction, which may take several attempts: body must
// start from the beginning each time. Once it is committed, its events are logged.
// The verb phrase goes into unknown errors.
func (s *Store) inTx(ctx context.Context, verb string, body func(context.Context, *unit) error) error {
	var last *unit
	attempt := func(ctx context.Context, tx *ent.Tx) error {
		last = &unit{Tx: tx}
		return body(ctx, last)
	}
	err := s.transact(ctx, attempt)
	if errors.Is(err, ErrKeyInUse) {
		// The faster call has ended by now: this one repeats it.
		err = s.transact(ctx, attempt)
	}
	if err != nil {
		return s.toError(verb, s.keyError(ctx, err))
	}
	for _, e := range last.recorded {
		s.logEvent(ctx, e)
	}
	return nil
}

// A newSecret is a secret that no row has yet, and what the row keeps of it.
type newSecret struct {
	plain                  secret.Secret
	digest, sealed, lookup []byte
}

// generateSecret makes a secret for a client. Call it before a transaction begins:
// other writers wait for that one, and the key may have to be recorded.
func (s *Store) generateSecret(ctx context.Context, clientID uuid.UUID) (newSecret, error) {
	sealer, err := s.keyset.Sealer(ctx)
	if err != nil {
		return newSecret{}, s.toError("seal secret", err)
	}
	plain := secret.Generate(s.prefix)
	digest := secret.DigestOf(clientID, plain)
	sealed, err := sealer.Seal(clientID, digest, plain)
	if err != nil {
		return newSecret{}, fmt.Errorf("seal secret: %w", err)
	}
	return newSecret{plain: plain, digest: digest[:], sealed: sealed, lookup: secret.LookupOf(plain)}, nil
}

// open returns the secret on a row. Errors: ErrDamagedSecret; one for keyError.
func (s *Store) open(row *Client) (secret.Secret, error) {
	plain, err := s.keyset.Open(row.ID, row.SecretDigest, row.SecretSealed)
	if errors.Is(err, secret.ErrDamaged) {
		return secret.Secret{}, ErrDamagedSecret
	}
	return plain, err
}

// keyError returns ErrKeyNotLoaded for what this server cannot open because it lacks
// a key that is in use. A key that is not in use is damage: no key of this database
// ever had that id. It reads the database, so it must not run inside a transaction.
func (s *Store) keyError(ctx context.Context, err error) error {
	var unknown *secret.UnknownKeyError
	if !errors.As(err, &unknown) {
		return err
	}
	inUse, listErr := s.keyset.IsInUse(ctx, unknown.ID)
	switch {
	case listErr != nil:
		return listErr
	case inUse:
		return fmt.Errorf("%w: %w", ErrKeyNotLoaded, err)
	default:
		return fmt.Errorf("%w: %w", ErrDamagedSecret, err)
	}
}
