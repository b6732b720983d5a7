package secret

import (
	"errors"

	"github.com/google/uuid"
)

// ErrDamaged reports that sealed data does not open: it was changed, or moved from
// another row. Data whose key is missing is an [*UnknownKeyError].
var ErrDamaged = errors.New("sealed data does not open")

// The purposes of ciphertexts. Each is part of the associated data, so that one
// kind never opens as another.
const (
	purposeSecret     = "clientsd/sealed/secret/v1"
	purposeSigningKey = "clientsd/sealed/signing-key/v1"
	purposeCheck      = "clientsd/sealed/check/v1"
	purposePageToken  = "clientsd/sealed/page-token/v1"
)

// checkText is the text in the keyset check of a database.
const checkText = "clientsd keyset check"

// Seal encrypts a secret for the row of its client. The client's id and the digest
// are its associated data: the ciphertext opens on no other row, and an older
// ciphertext does not open with a newer digest.
func (s Sealer) Seal(clientID uuid.UUID, digest Digest, plain Secret) ([]byte, error) {
	return s.seal([]byte(plain.Reveal()), secretData(clientID, digest[:]))
}

// Open decrypts the result of Seal and compares the secret with the digest in the
// same row. It fails with [ErrDamaged] if anything differs from what was sealed, and
// with [*UnknownKeyError] if the key is missing, as the other methods that open do.
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

// SealSigningKey encrypts a private key of the built-in issuer, by its key id.
func (s Sealer) SealSigningKey(keyID string, private []byte) ([]byte, error) {
	return s.seal(private, associatedData(purposeSigningKey, []byte(keyID)))
}

// OpenSigningKey decrypts the result of SealSigningKey, or fails with [ErrDamaged].
func (k *Keyset) OpenSigningKey(keyID string, sealed []byte) ([]byte, error) {
	return k.open(sealed, associatedData(purposeSigningKey, []byte(keyID)))
}

// SealCheck returns the keyset check, by which a database recognises its keyset.
func (s Sealer) SealCheck() ([]byte, error) {
	return s.seal([]byte(checkText), associatedData(purposeCheck))
}

// OpenCheck fails unless a key of k has sealed the check.
func (k *Keyset) OpenCheck(sealed []byte) error {
	text, err := k.open(sealed, associatedData(purposeCheck))
	if err == nil && string(text) != checkText {
		return ErrDamaged
	}
	return err
}

func (s Sealer) seal(text, associatedData []byte) ([]byte, error) {
	return s.content.aead.Encrypt(text, associatedData)
}

func secretData(clientID uuid.UUID, digest []byte) []byte {
	return associatedData(purposeSecret, clientID[:], digest)
}

// associatedData joins the purpose and the parts. The length of each part comes
// before it, so that no two lists of parts give the same bytes.
func associatedData(purpose string, parts ...[]byte) []byte {
	data := append([]byte(purpose), 0)
	for _, part := range parts {
		data = append(data, byte(len(part)>>8), byte(len(part))) //nolint:gosec // parts are ids and digests, all far below 64 KiB
		data = append(data, part...)
	}
	return data
}

// SealPageToken encrypts the cursor of a list. It opens only for the same query,
// which the texts describe.
func (s Sealer) SealPageToken(cursor []byte, query ...string) ([]byte, error) {
	return s.seal(cursor, queryData(query))
}

// OpenPageToken decrypts the result of SealPageToken, or fails with [ErrDamaged].
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
