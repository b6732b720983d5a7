package issuer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/signingkey"
	"clientsd/server/secret"
)

// keyBits is the size of a signing key: what RFC 7518, 3.3 asks for at least.
const keyBits = 2048

// OpenOrCreate opens the issuer, and creates the first signing key if there is none.
func OpenOrCreate(ctx context.Context, db Database, keyset *secret.Keyset) (*Issuer, error) {
	issuer, err := Open(ctx, db, keyset)
	if !errors.Is(err, ErrNoKey) {
		return issuer, err
	}
	if err := createFirst(ctx, db, keyset); err != nil {
		return nil, fmt.Errorf("create signing key: %w", err)
	}
	return Open(ctx, db, keyset)
}

// createFirst makes a key unless another process was faster. The name of the
// issuer is a URN: the service does not know under which URL its callers reach
// it, and tokens must stay valid when that changes.
func createFirst(ctx context.Context, db Database, keyset *secret.Keyset) error {
	key, err := newKey(ctx, keyset, uuid.New().URN())
	if err != nil {
		return err
	}
	return db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		exists, err := tx.SigningKey.Query().Exist(ctx)
		if err != nil || exists {
			return err
		}
		return insert(ctx, tx, key)
	})
}

// Rotate makes a new key, which signs from now on. Tokens that were signed
// before stay valid until they expire; keys without such tokens are removed.
func (i *Issuer) Rotate(ctx context.Context) (keyID string, err error) {
	key, err := newKey(ctx, i.keyset, i.Name())
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	err = i.db.Transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		if err := removeRetired(ctx, tx); err != nil {
			return err
		}
		return insert(ctx, tx, key)
	})
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	return key.ID, i.reload(ctx)
}

// removeRetired removes the keys whose tokens have all expired, but never the
// one that has signed until now.
func removeRetired(ctx context.Context, tx *ent.Tx) error {
	rows, err := tx.SigningKey.Query().Order(signingkey.ByCreatedAt(), signingkey.ByID()).All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows[:len(rows)-1] {
		if !time.Now().After(retiresAt(row)) {
			continue
		}
		if err := tx.SigningKey.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func insert(ctx context.Context, tx *ent.Tx, key ent.SigningKey) error {
	return tx.SigningKey.Create().
		SetID(key.ID).
		SetIssuer(key.Issuer).
		SetPrivateSealed(key.PrivateSealed).
		SetPublic(key.Public).
		SetCreatedAt(key.CreatedAt).
		Exec(ctx)
}

func newKey(ctx context.Context, keyset *secret.Keyset, issuer string) (ent.SigningKey, error) {
	sealer, err := keyset.Sealer(ctx)
	if err != nil {
		return ent.SigningKey{}, err
	}
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return ent.SigningKey{}, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return ent.SigningKey{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return ent.SigningKey{}, err
	}
	keyID := uuid.NewString()
	sealed, err := sealer.SealSigningKey(keyID, encoded)
	return ent.SigningKey{
		ID:            keyID,
		Issuer:        issuer,
		PrivateSealed: sealed,
		Public:        public,
		CreatedAt:     time.Now().UTC().Truncate(time.Microsecond),
	}, err
}
