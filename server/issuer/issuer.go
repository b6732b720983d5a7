// Package issuer is the built-in issuer of access tokens, for those who have no
// other: its RSA key lies sealed in the database, its public half is served as
// a JWKS, and `clientsd token` mints with it.
//
// It imports ent and secret; it knows nothing of clients or of HTTP.
package issuer

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"clientsd/ent"
	"clientsd/ent/signingkey"
	"clientsd/server/secret"
)

// ErrNoKey says that the database holds no signing key yet.
var ErrNoKey = errors.New("there is no signing key yet: clientsd serve makes one")

// An Issuer signs access tokens and knows the keys they are verified with. It
// is safe for concurrent use.
type Issuer struct {
	name    string
	keyID   string
	private *rsa.PrivateKey
	public  map[string]*rsa.PublicKey
	jwks    []byte
}

// Open loads the signing keys; the newest one signs.
//
// Errors: ErrNoKey; [secret.ErrDamaged] if a key does not open.
func Open(ctx context.Context, db *ent.Client, keyset *secret.Keyset) (*Issuer, error) {
	rows, err := db.SigningKey.Query().Order(signingkey.ByCreatedAt(), signingkey.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	if len(rows) == 0 {
		return nil, ErrNoKey
	}
	issuer := &Issuer{public: make(map[string]*rsa.PublicKey, len(rows))}
	if err := issuer.load(rows, keyset); err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	return issuer, nil
}

// Name is the iss of the tokens. It is made with the first key and stays.
func (i *Issuer) Name() string { return i.name }

// Key returns the public key with the given id, or nil if there is none.
func (i *Issuer) Key(keyID string) *rsa.PublicKey { return i.public[keyID] }

// JWKS is the document of the public keys (RFC 7517).
func (i *Issuer) JWKS() []byte { return i.jwks }

func (i *Issuer) load(rows []*ent.SigningKey, keyset *secret.Keyset) error {
	var document jose.JSONWebKeySet
	for _, row := range rows {
		public, err := x509.ParsePKIXPublicKey(row.Public)
		key, isRSA := public.(*rsa.PublicKey)
		if err != nil || !isRSA {
			return fmt.Errorf("key %s: %w", row.ID, secret.ErrDamaged)
		}
		i.public[row.ID] = key
		document.Keys = append(document.Keys, jose.JSONWebKey{Key: key, KeyID: row.ID, Algorithm: string(jose.RS256), Use: "sig"})
	}
	newest := rows[len(rows)-1]
	i.name, i.keyID = newest.Issuer, newest.ID
	var err error
	if i.private, err = openPrivate(newest, keyset); err != nil {
		return fmt.Errorf("key %s: %w", newest.ID, err)
	}
	i.jwks, err = json.Marshal(document)
	return err
}

func openPrivate(row *ent.SigningKey, keyset *secret.Keyset) (*rsa.PrivateKey, error) {
	encoded, err := keyset.OpenSigningKey(row.ID, row.PrivateSealed)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(encoded)
	key, isRSA := private.(*rsa.PrivateKey)
	if err != nil || !isRSA {
		return nil, secret.ErrDamaged
	}
	return key, nil
}
