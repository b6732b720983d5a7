package issuer

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"clientsd/ent"
	"clientsd/server/secret"
)

// clockSlack is how long a key outlives the last token it has signed: what a
// verifier may allow for clocks that differ.
const clockSlack = time.Minute

// keys are the signing keys as they were at one time.
type keys struct {
	name    string
	newest  *ent.SigningKey
	private *rsa.PrivateKey
	// privateErr says why private is nil.
	privateErr error
	public     map[string]publicKey
	jwks       []byte
	loaded     time.Time
}

// publicKey verifies until the last token it has signed has expired.
type publicKey struct {
	key   *rsa.PublicKey
	until time.Time // zero: the key still signs
}

func (k publicKey) expired(now time.Time) bool { return !k.until.IsZero() && now.After(k.until) }

// valid returns the key of this id, or nil if there is none that still verifies.
func (k *keys) valid(keyID string) *rsa.PublicKey {
	key, ok := k.public[keyID]
	if !ok || key.expired(time.Now()) {
		return nil
	}
	return key.key
}

// newKeys reads the rows, the oldest first, which were there at a time.
func newKeys(rows []*ent.SigningKey, keyset *secret.Keyset, loaded time.Time) (*keys, error) {
	newest := rows[len(rows)-1]
	k := &keys{name: newest.Issuer, newest: newest, public: make(map[string]publicKey), loaded: loaded}
	var document jose.JSONWebKeySet
	for _, row := range rows {
		key, err := readPublic(row, row == newest)
		if err != nil {
			return nil, err
		}
		if key.expired(k.loaded) {
			continue
		}
		k.public[row.ID] = key
		document.Keys = append(document.Keys, jose.JSONWebKey{Key: key.key, KeyID: row.ID, Algorithm: string(jose.RS256), Use: "sig"})
	}
	k.private, k.privateErr = openPrivate(newest, keyset)
	var err error
	k.jwks, err = json.Marshal(document)
	return k, err
}

func readPublic(row *ent.SigningKey, signs bool) (publicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(row.Public)
	key, isRSA := parsed.(*rsa.PublicKey)
	if err != nil || !isRSA {
		return publicKey{}, fmt.Errorf("key %s: %w", row.ID, secret.ErrDamaged)
	}
	if signs {
		return publicKey{key: key}, nil
	}
	return publicKey{key: key, until: retiresAt(row)}, nil
}

// retiresAt returns when the last token of a key that signs no more has expired.
func retiresAt(row *ent.SigningKey) time.Time {
	if row.TokensUntil == nil {
		return row.CreatedAt // it has signed nothing
	}
	return row.TokensUntil.Add(clockSlack)
}

func openPrivate(row *ent.SigningKey, keyset *secret.Keyset) (*rsa.PrivateKey, error) {
	encoded, err := keyset.OpenSigningKey(row.ID, row.PrivateSealed)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", row.ID, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(encoded)
	key, isRSA := private.(*rsa.PrivateKey)
	if err != nil || !isRSA {
		return nil, fmt.Errorf("key %s: %w", row.ID, secret.ErrDamaged)
	}
	return key, nil
}
