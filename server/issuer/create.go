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
	"clientsd/server/secret"
)

// keyBits is the size of a signing key: what RFC 7518, 3.3 asks for at least.
const keyBits = 2048

// OpenOrCreate is Open, and makes the first signing key if there is none.
func OpenOrCreate(ctx context.Context, db *ent.Client, keyset *secret.Keyset) (*Issuer, error) {
	issuer, err := Open(ctx, db, keyset)
	if !errors.Is(err, ErrNoKey) {
		return issuer, err
	}
	if err := createFirst(ctx, db, keyset); err != nil {
		return nil, fmt.Errorf("create signing key: %w", err)
	}
	return Open(ctx, db, keyset)
}

// createFirst makes a key unless another process was faster.
func createFirst(ctx context.Context, db *ent.Client, keyset *secret.Keyset) error {
	key, err := newKey(keyset)
	if err != nil {
		return err
	}
	tx, err := db.Tx(ctx)
	if err != nil {
		return err
	}
	if err := insertFirst(ctx, tx, key); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func insertFirst(ctx context.Context, tx *ent.Tx, key ent.SigningKey) error {
	exists, err := tx.SigningKey.Query().Exist(ctx)
	if err != nil || exists {
		return err
	}
	return tx.SigningKey.Create().
		SetID(key.ID).
		SetIssuer(key.Issuer).
		SetPrivateSealed(key.PrivateSealed).
		SetPublic(key.Public).
		SetCreatedAt(key.CreatedAt).
		Exec(ctx)
}

// newKey makes a key and the name of a new issuer. The name is a URN: the
// service does not know under which URL its callers reach it, and tokens must
// stay valid when that changes.
func newKey(keyset *secret.Keyset) (ent.SigningKey, error) {
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
	sealed, err := keyset.SealSigningKey(keyID, encoded)
	return ent.SigningKey{
		ID:            keyID,
		Issuer:        uuid.New().URN(),
		PrivateSealed: sealed,
		Public:        public,
		CreatedAt:     time.Now().UTC().Truncate(time.Microsecond),
	}, err
}
