package oauthclient

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/idempotencykey"
)

const (
	// keyLifetime is how long a call can be repeated.
	keyLifetime = 24 * time.Hour
	// maxKeyLength bounds a key, in bytes.
	maxKeyLength = 255
)

// IdempotencyKey identifies a call so that a retry returns the first result. The
// zero key identifies none.
type IdempotencyKey struct{ text string }

// ParseIdempotencyKey reads a key that a caller has sent: 1 to 255 bytes of
// printable ASCII. Errors: Invalid.
func ParseIdempotencyKey(text string) (IdempotencyKey, error) {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	if text == "" || len(text) > maxKeyLength || strings.ContainsFunc(text, unprintable) {
		return IdempotencyKey{}, NewInvalid(Violation{
			Field:   "Idempotency-Key",
			Rule:    "idempotency_key",
			Message: fmt.Sprintf("must be 1 to %d characters of printable ASCII", maxKeyLength),
		})
	}
	return IdempotencyKey{text: text}, nil
}

// An idempotentCall is a call that may be a repetition.
type idempotentCall struct {
	key    IdempotencyKey
	method string
	// input is what the call asks for. Its fields have tags, which name them in the
	// fingerprint, and zero values are left out: fields can be renamed and added
	// while keys are remembered.
	input         any
	includeSecret bool
}

// idempotent makes the call unless the same caller has made the same call with the
// same key: then it returns the result of that one. The key is remembered in the
// transaction of the call, without the secret.
//
// Errors: those of the call; ErrKeyMismatch, ErrSuperseded, ErrKeyInUse.
func (s *Store) idempotent(ctx context.Context, tx *unit, caller Caller, call idempotentCall, do func() (Record, error)) (Record, error) {
	if call.key == (IdempotencyKey{}) {
		return do()
	}
	request, err := call.fingerprint()
	if err != nil {
		return Record{}, err
	}
	key := caller.fingerprint(call.key)
	earlier, err := tx.IdempotencyKey.Query().Where(idempotencykey.Key(key)).Only(ctx)
	switch {
	case ent.IsNotFound(err), err == nil && earlier.CreatedAt.Before(s.oldestKey()):
		return s.first(ctx, tx, key, request, do)
	case err != nil:
		return Record{}, err
	case string(earlier.Request) != string(request):
		return Record{}, ErrKeyMismatch
	default:
		return s.replay(ctx, tx, caller, earlier, call.includeSecret)
	}
}

// withRetryAdvice tells a caller that used a key to repeat the call when its
// outcome is unknown.
func (k IdempotencyKey) withRetryAdvice(err error) error {
	if k != (IdempotencyKey{}) && errors.Is(err, errOutcomeUnknown) {
		return fmt.Errorf("%w: %w", errRetryWithKey, err)
	}
	return err
}

// oldestKey returns when the oldest call was made that can still be repeated.
func (s *Store) oldestKey() time.Time { return s.now().Add(-keyLifetime) }

// first makes the call and remembers its result.
func (s *Store) first(ctx context.Context, tx *unit, key, request []byte, do func() (Record, error)) (Record, error) {
	record, err := do()
	if err != nil {
		return Record{}, s.orKeyInUse(ctx, tx, key, err)
	}
	result, err := tx.ExecContext(ctx, keySQL, key, request, record.ID, record.SecretVersion, s.now(), s.oldestKey())
	if err != nil {
		return Record{}, fmt.Errorf("remember idempotency key: %w", err)
	}
	written, err := result.RowsAffected()
	if err == nil && written == 0 {
		err = ErrKeyInUse
	}
	if err != nil {
		return Record{}, err
	}
	return record, nil
}

// orKeyInUse returns ErrKeyInUse instead of a refusal if a concurrent call with the
// same key has succeeded: what is in the way, such as its overlap or its version, is
// the result that this call asks for.
func (s *Store) orKeyInUse(ctx context.Context, tx *unit, key []byte, err error) error {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return err
	}
	switch used, queryErr := tx.IdempotencyKey.Query().Where(idempotencykey.Key(key), idempotencykey.CreatedAtGTE(s.oldestKey())).Exist(ctx); {
	case queryErr != nil:
		return queryErr
	case used:
		return ErrKeyInUse
	default:
		return err
	}
}

// replay returns the result of an earlier call, if the caller may see the client
// now, and with its secret only if that is still the client's.
func (s *Store) replay(ctx context.Context, tx *unit, caller Caller, earlier *ent.IdempotencyKey, includeSecret bool) (Record, error) {
	row, err := tx.OAuthClient.Query().Where(visible(caller, earlier.ClientID)).Only(ctx)
	if err != nil {
		return Record{}, err
	}
	if row.SecretVersion != earlier.SecretVersion {
		return Record{}, ErrSuperseded
	}
	record := Record{Client: row}
	if !includeSecret || !row.HasSecret {
		return record, nil
	}
	if record.Secret, err = s.open(row); err != nil {
		return Record{}, err
	}
	return record, s.record(ctx, tx, caller, row, event{kind: clientevent.KindSecretRead, released: true})
}

// fingerprint differs for two different requests with one key.
func (c idempotentCall) fingerprint() ([]byte, error) {
	text, err := json.Marshal(c.input)
	if err != nil {
		return nil, err
	}
	return hash(c.method, string(text)), nil
}

// fingerprint gives every caller a key space of its own.
func (c Caller) fingerprint(key IdempotencyKey) []byte {
	return hash(c.Issuer, c.Subject, c.ClientID, c.TokenOrganisation, c.Organisation, key.text)
}

// hash returns the SHA-256 of texts, each with its length in front.
func hash(texts ...string) []byte {
	var all []byte
	for _, text := range texts {
		all = binary.BigEndian.AppendUint64(all, uint64(len(text)))
		all = append(all, text...)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}
