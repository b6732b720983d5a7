// Package secret generates, checks and seals client secrets. It is the only
// package that sees one in the clear, apart from the answer that carries it.
//
// It owns the form of a secret ([Secret]), the digest that verifies one
// ([Digest]), and the keys that seal it for the database ([Keyset]).
//
// It must not know the database or the wire: it imports no ent, no connect, no
// generated message and no net/http.
package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/big"
	"regexp"
	"strings"
)

// DefaultPrefix starts every secret, unless the operator chooses another prefix.
const DefaultPrefix = "sk_live_"

// MaxPrefixLength bounds the prefix of a secret, in bytes.
const MaxPrefixLength = 32

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// bodyLength base62 characters hold 256 bits: 43 × log2(62) = 256.03.
	bodyLength = 43
	// sumLength base62 characters hold 32 bits: 6 × log2(62) = 35.7.
	sumLength = 6
)

// redacted replaces a Secret in every output but that of Reveal.
const redacted = "[redacted]"

// ErrMalformed reports that a text cannot be a secret of this service. It never
// quotes the text.
var ErrMalformed = errors.New("malformed secret")

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// A Secret holds a client secret in the clear. It prints as "[redacted]" in fmt,
// encoding/json and slog; only Reveal returns the text.
//
// The zero Secret is no secret.
type Secret struct {
	// A pointer, so that printers that ignore Stringer (spew, %#v of an enclosing
	// struct) print an address and not the text.
	text *string
}

// Generate returns a new secret: the prefix, 256 random bits in base62 and a
// checksum, by which a scanner recognises a real secret without asking the
// service. The prefix must be one that [ValidatePrefix] accepts.
func Generate(prefix string) Secret {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // documented never to fail
	head := prefix + base62(new(big.Int).SetBytes(bits[:]), bodyLength)
	return fromText(head + checksum(head))
}

// Parse recognises a secret by its form and checksum, with any prefix: secrets
// stay valid when the operator changes the prefix. The checksum is no security; it
// only saves a look-up. For any other text, Parse fails with [ErrMalformed].
func Parse(text string) (Secret, error) {
	split := len(text) - sumLength
	prefixLength := split - bodyLength
	if prefixLength < 0 || ValidatePrefix(text[:prefixLength]) != nil || !isBase62(text[prefixLength:]) {
		return Secret{}, ErrMalformed
	}
	if checksum(text[:split]) != text[split:] {
		return Secret{}, ErrMalformed
	}
	return fromText(text), nil
}

// MayQuote reports whether an error may quote a name that a caller sent: an
// identifier of at most 64 characters with no secret in it. A name that is not
// known may be a value in the wrong place.
func MayQuote(name string) bool {
	if !identifier.MatchString(name) {
		return false
	}
	for end := bodyLength + sumLength; end <= len(name); end++ {
		if _, err := Parse(name[:end]); err == nil {
			return false
		}
	}
	return true
}

// ValidatePrefix accepts up to 32 letters, digits and underscores, also none. A
// double click selects them as one word, and HTTP Basic does not escape them.
func ValidatePrefix(prefix string) error {
	if len(prefix) > MaxPrefixLength {
		return fmt.Errorf("the prefix of secrets has %d characters, at most %d are allowed", len(prefix), MaxPrefixLength)
	}
	for _, r := range prefix {
		if r != '_' && !strings.ContainsRune(alphabet, r) {
			return fmt.Errorf("the prefix of secrets has the character %q, only letters, digits and underscores are allowed", r)
		}
	}
	return nil
}

// Reveal returns the text of the secret, or an empty text for the zero Secret.
// Only the answer to the caller who asked for the secret may carry it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether s is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Format writes "[redacted]" for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText keeps the text out of encoding/json, encoding/xml and similar
// packages.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the text out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

func fromText(text string) Secret { return Secret{text: &text} }

// checksum returns the CRC-32 of head in six base62 characters. Every verification
// calls it, so it does without the big numbers of base62.
func checksum(head string) string {
	sum := crc32.ChecksumIEEE([]byte(head))
	digits := [sumLength]byte{}
	for i := range digits {
		digits[sumLength-1-i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return string(digits[:])
}

// base62 returns n in exactly length characters, with zeros on the left.
func base62(n *big.Int, length int) string {
	digits := make([]byte, length)
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	for i := length - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		digits[i] = alphabet[digit.Int64()]
	}
	return string(digits)
}

func isBase62(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}
