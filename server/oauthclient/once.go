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

// An IdempotencyKey is what a caller names a call by, so that it can be made
// again without being done again. The zero key names none.
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

// attempt is a call that may be a repetition.
type attempt struct {
	key     IdempotencyKey
	method  string
	input   any // what the call asks for; the key is not part of it
	release bool
}

// once makes the call unless the same caller has made the same call under the
// same key: then it gives the result of that one. The key is remembered in the
// transaction of the call, without the secret.
//
// Errors beside those of the call: ErrKeyMismatch, ErrSuperseded, ErrKeyInUse.
func (s *Store) once(ctx context.Context, tx *ent.Tx, caller Caller, a attempt, do func() (Record, error)) (Record, error) {
	if a.key == (IdempotencyKey{}) {
		return do()
	}
	request, err := a.fingerprint()
	if err != nil {
		return Record{}, err
	}
	key := caller.fingerprint(a.key)
	if err := s.forgetOldKeys(ctx, tx); err != nil {
		return Record{}, err
	}
	earlier, err := tx.IdempotencyKey.Query().Where(idempotencykey.Key(key)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return s.first(ctx, tx, key, request, do)
	case err != nil:
		return Record{}, err
	case string(earlier.Request) != string(request):
		return Record{}, ErrKeyMismatch
	default:
		return s.replay(ctx, tx, caller, earlier, a.release)
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

// first makes the call and remembers what came of it.
func (s *Store) first(ctx context.Context, tx *ent.Tx, key, request []byte, do func() (Record, error)) (Record, error) {
	record, err := do()
	if err != nil {
		return Record{}, err
	}
	err = tx.IdempotencyKey.Create().
		SetKey(key).
		SetRequest(request).
		SetClientID(record.ID).
		SetSecretVersion(record.SecretVersion).
		SetCreatedAt(s.now()).
		Exec(ctx)
	if isDuplicate(err) {
		return Record{}, ErrKeyInUse
	}
	return record, err
}

// replay gives the result of an earlier call: as far as the caller may see it
// now, and with its secret only if that is still the client's.
func (s *Store) replay(ctx context.Context, tx *ent.Tx, caller Caller, earlier *ent.IdempotencyKey, release bool) (Record, error) {
	row, err := s.getRow(ctx, tx, caller, earlier.ClientID)
	if err != nil {
		return Record{}, err
	}
	if row.SecretVersion != earlier.SecretVersion {
		return Record{}, ErrSuperseded
	}
	record := Record{Client: row}
	if !release || !row.HasSecret {
		return record, nil
	}
	if record.Secret, err = s.open(row); err != nil {
		return Record{}, err
	}
	return record, s.record(ctx, tx, caller, row, event{kind: clientevent.KindSecretRead, released: true})
}

// forgetOldKeys removes keys whose calls can no longer be repeated.
func (s *Store) forgetOldKeys(ctx context.Context, tx *ent.Tx) error {
	_, err := tx.IdempotencyKey.Delete().Where(idempotencykey.CreatedAtLT(s.now().Add(-keyLifetime))).Exec(ctx)
	return err
}

// fingerprint tells two requests under one key apart.
func (a attempt) fingerprint() ([]byte, error) {
	text, err := json.Marshal(a.input)
	if err != nil {
		return nil, err
	}
	return hash(a.method, string(text)), nil
}

// fingerprint gives every caller a key space of its own.
func (c Caller) fingerprint(key IdempotencyKey) []byte {
	return hash(c.Issuer, c.Subject, c.ClientID, c.Home, c.Organisation, key.text)
}

// hash is the SHA-256 of texts, each behind its length.
func hash(texts ...string) []byte {
	var all []byte
	for _, text := range texts {
		all = binary.BigEndian.AppendUint64(all, uint64(len(text)))
		all = append(all, text...)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}
