package secret

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/google/uuid"
)

// DigestSize is the length of a Digest, in bytes.
const DigestSize = sha256.Size

// digestPurpose separates these digests from every other use of SHA-256.
const digestPurpose = "clientsd/secret/v1"

// A Digest is what the database keeps to recognise a secret by. A secret has
// 256 random bits, so a fast hash cannot be guessed backwards; a slow one
// would only help an attacker burn our CPU.
type Digest [DigestSize]byte

// DigestOf binds a secret to its client: the same text would have another
// digest for another client.
func DigestOf(clientID uuid.UUID, s Secret) Digest {
	// The parts need no length prefix: the purpose is fixed, the id has always
	// 36 characters, and the secret comes last.
	text := digestPurpose + "\x00" + clientID.String() + "\x00" + s.Reveal()
	return sha256.Sum256([]byte(text))
}

// Matches compares with a stored digest in constant time. A stored digest of
// another length, such as none at all, never matches but costs the same.
func (d Digest) Matches(stored []byte) bool {
	candidate, sameLength := Digest{}, subtle.ConstantTimeEq(int32(len(stored)), DigestSize) //nolint:gosec // a length of bytes from one row fits
	copy(candidate[:], stored)
	return subtle.ConstantTimeCompare(d[:], candidate[:])&sameLength == 1
}

// LookupSize is the length of what LookupOf returns, in bytes.
const LookupSize = 16

// lookupPurpose separates lookups from digests: neither can be computed from the
// other.
const lookupPurpose = "clientsd/secret-lookup/v1"

// LookupOf returns what the event that issued a secret is found by. It is the same
// whichever client the secret is of, so it verifies nothing: a Digest does.
func LookupOf(s Secret) []byte {
	sum := sha256.Sum256([]byte(lookupPurpose + "\x00" + s.Reveal()))
	return sum[:LookupSize]
}
