// Package secret makes, checks and seals client secrets. It is the only place
// that sees one in the clear, apart from the answer that carries it.
//
// It knows neither the database nor the wire: it must import no ent, no
// connect, no generated message and no net/http.
package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/big"
	"strings"
)

// DefaultPrefix starts every secret unless the operator chooses another.
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

// redacted is what a Secret shows to everything but Reveal.
const redacted = "[redacted]"

// ErrMalformed says that a text cannot be a secret of this service. It never
// quotes the text.
var ErrMalformed = errors.New("malformed secret")

// A Secret is a client secret in the clear. It shows itself as "[redacted]" to
// fmt, encoding/json and slog; only Reveal gives the text away.
//
// The zero Secret is no secret.
type Secret struct {
	// A pointer, so that reflection-based printers that ignore Stringer (spew,
	// %#v of an enclosing struct) meet an address and not the text.
	text *string
}

// Generate makes a secret: the prefix, 256 random bits in base62 and a
// checksum, so that a scanner can tell a real secret from a lookalike without
// asking us. Use a prefix that [ValidatePrefix] accepts.
func Generate(prefix string) Secret {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // documented never to fail
	head := prefix + base62(new(big.Int).SetBytes(bits[:]), bodyLength)
	return fromText(head + checksum(head))
}

// Parse recognises a secret by its form and checksum, whatever its prefix:
// secrets stay valid when the operator changes the prefix. The checksum is no
// security; it only spares a look-up. Any other text is [ErrMalformed].
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

// ValidatePrefix accepts up to 32 letters, digits and underscores: what a
// double click selects as one word and HTTP Basic need not escape. An empty
// prefix is accepted.
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

// Reveal returns the text. Only the answer to the caller who asked for the
// secret may carry it. It is empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether s is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Format writes "[redacted]" whatever the verb and flags.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText keeps the text out of encoding/json, encoding/xml and their like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the text out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

func fromText(text string) Secret { return Secret{text: &text} }

// checksum is the CRC-32 of head in six base62 characters. A verification needs
// it, so it is spared the big numbers of base62.
func checksum(head string) string {
	sum := crc32.ChecksumIEEE([]byte(head))
	digits := [sumLength]byte{}
	for i := range digits {
		digits[sumLength-1-i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return string(digits[:])
}

// base62 writes n in exactly length characters, padded on the left.
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
