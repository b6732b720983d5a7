package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// DefaultAlgorithm is the one algorithm that the contract of access tokens names.
const DefaultAlgorithm = string(jose.RS256)

// Algorithms returns the names of the signature algorithms that an issuer may be
// trusted with. All of them are asymmetric.
func Algorithms() []string {
	return []string{DefaultAlgorithm, string(jose.ES256), string(jose.PS256), string(jose.EdDSA)}
}

// algorithmsOf returns the algorithms that a key of this type can verify.
func algorithmsOf(key crypto.PublicKey) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return []string{string(jose.RS256), string(jose.PS256)}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return []string{string(jose.ES256)}
		}
	case ed25519.PublicKey:
		return []string{string(jose.EdDSA)}
	}
	return nil
}

// checkKey returns what keeps a key from verifying signatures of the algorithm:
// its type, or that it is weak, or so large that verifying is a burden. Nil: it is
// good.
func checkKey(key crypto.PublicKey, algorithm string) error {
	if !slices.Contains(algorithmsOf(key), algorithm) {
		return fmt.Errorf("it is not of the type that %s needs", algorithm)
	}
	public, isRSA := key.(*rsa.PublicKey)
	if !isRSA {
		return nil // its curve fixes its strength
	}
	switch bits := public.N.BitLen(); {
	case bits < minKeyBits || bits > maxKeyBits:
		return fmt.Errorf("it has %d bits, %d to %d are accepted", bits, minKeyBits, maxKeyBits)
	case public.E < 3 || public.E > 1<<31-1 || public.E%2 == 0:
		return fmt.Errorf("its exponent %d is not accepted", public.E)
	default:
		return nil
	}
}

// sameKey reports whether two keys are the same. It compares pointers first: to
// compare the numbers costs ten times as much.
func sameKey(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		b, ok := b.(*rsa.PublicKey)
		return ok && (a == b || a.Equal(b))
	case *ecdsa.PublicKey:
		b, ok := b.(*ecdsa.PublicKey)
		return ok && (a == b || a.Equal(b))
	case ed25519.PublicKey:
		return a.Equal(b)
	default:
		return false
	}
}

// list writes names as a sentence does: "RS256, ES256 or PS256".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
