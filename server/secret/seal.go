package secret

import (
	"errors"

	"github.com/google/uuid"
)

// ErrDamaged says that a sealed text does not open: it was changed, moved from
// another row, or sealed by a key the keyset does not have.
var ErrDamaged = errors.New("sealed data does not open")

// What each kind of ciphertext is for. It is part of the associated data, so
// that one kind never opens as another.
const (
	purposeSecret     = "clientsd/sealed/secret/v1"
	purposeSigningKey = "clientsd/sealed/signing-key/v1"
	purposeCheck      = "clientsd/sealed/check/v1"
	purposePageToken  = "clientsd/sealed/page-token/v1"
)

// checkText is what the keyset check of a database seals.
const checkText = "clientsd keyset check"

// Seal encrypts a secret for the row of its client. The client and the digest
// go in as associated data: the ciphertext opens on no other row, and an older
// one does not open beside a newer digest.
func (k *Keyset) Seal(clientID uuid.UUID, digest Digest, s Secret) ([]byte, error) {
	return k.seal([]byte(s.Reveal()), secretData(clientID, digest[:]))
}

// Open decrypts what Seal made and checks it against the digest beside it.
// Anything that is not exactly what was sealed is [ErrDamaged].
func (k *Keyset) Open(clientID uuid.UUID, digest, sealed []byte) (Secret, error) {
	text, err := k.open(sealed, secretData(clientID, digest))
	if err != nil {
		return Secret{}, err
	}
	s := fromText(string(text))
	if !DigestOf(clientID, s).Matches(digest) {
		return Secret{}, ErrDamaged
	}
	return s, nil
}

// SealSigningKey encrypts the private key of the built-in issuer that has the
// given key id.
func (k *Keyset) SealSigningKey(keyID string, private []byte) ([]byte, error) {
	return k.seal(private, associatedData(purposeSigningKey, []byte(keyID)))
}

// OpenSigningKey decrypts what SealSigningKey made, or fails with [ErrDamaged].
func (k *Keyset) OpenSigningKey(keyID string, sealed []byte) ([]byte, error) {
	return k.open(sealed, associatedData(purposeSigningKey, []byte(keyID)))
}

// SealCheck makes what a new database keeps to know its keyset by.
func (k *Keyset) SealCheck() ([]byte, error) {
	return k.seal([]byte(checkText), associatedData(purposeCheck))
}

// OpenCheck fails with [ErrDamaged] if k is not the keyset that sealed the check.
func (k *Keyset) OpenCheck(sealed []byte) error {
	text, err := k.open(sealed, associatedData(purposeCheck))
	if err != nil || string(text) != checkText {
		return ErrDamaged
	}
	return nil
}

func secretData(clientID uuid.UUID, digest []byte) []byte {
	return associatedData(purposeSecret, clientID[:], digest)
}

// associatedData joins purpose and parts, each behind its length, so that no
// two lists of parts give the same bytes.
func associatedData(purpose string, parts ...[]byte) []byte {
	data := append([]byte(purpose), 0)
	for _, part := range parts {
		data = append(data, byte(len(part)>>8), byte(len(part))) //nolint:gosec // parts are ids and digests, all far below 64 KiB
		data = append(data, part...)
	}
	return data
}

// SealPageToken encrypts the cursor of a list; it opens for the same query
// only, which the given texts describe.
func (k *Keyset) SealPageToken(cursor []byte, query ...string) ([]byte, error) {
	return k.seal(cursor, queryData(query))
}

// OpenPageToken decrypts what SealPageToken made, or fails with [ErrDamaged].
func (k *Keyset) OpenPageToken(sealed []byte, query ...string) ([]byte, error) {
	return k.open(sealed, queryData(query))
}

func queryData(query []string) []byte {
	parts := make([][]byte, len(query))
	for i, text := range query {
		parts[i] = []byte(text)
	}
	return associatedData(purposePageToken, parts...)
}
