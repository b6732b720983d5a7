package secret_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/google/uuid"

	"clientsd/server/secret"
)

var (
	client = uuid.MustParse("550e8400-e29b-41d4-a716-446655440000")
	other  = uuid.MustParse("550e8400-e29b-41d4-a716-446655440001")
)

func knownSecret(t testing.TB) secret.Secret {
	t.Helper()
	parsed, err := secret.Parse(known)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// Another digest would make every stored secret invalid. The value was computed
// with another program.
func TestDigestOf_KnownValue(t *testing.T) {
	const want = "4e29fe6e74c57610b66a27349dd63affff92bacb15427c70f2d3d7078c43d951"
	digest := secret.DigestOf(client, knownSecret(t))
	if got := hex.EncodeToString(digest[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again := sha256.Sum256([]byte("clientsd/secret/v1\x00" + client.String() + "\x00" + known))
	if digest != again {
		t.Errorf("got %x, want %x", digest, again)
	}
}

func TestDigestOf_DiffersFromOtherUses(t *testing.T) {
	digest := secret.DigestOf(client, knownSecret(t))
	for name, elsewhere := range map[string]secret.Digest{
		"the same secret of another client": secret.DigestOf(other, knownSecret(t)),
		"another secret of the same client": secret.DigestOf(client, secret.Generate("sk_live_")),
		"no secret of the same client":      secret.DigestOf(client, secret.Secret{}),
		"the bare SHA-256 of the secret":    sha256.Sum256([]byte(known)),
	} {
		if digest == elsewhere || digest.Matches(elsewhere[:]) {
			t.Errorf("%s has the same digest", name)
		}
	}
}

// Another lookup would not find a secret that was issued before. The value was
// computed with another program.
func TestLookupOf_KnownValue(t *testing.T) {
	const want = "e0681ee4c927cb3dcde4aef9e9d4743c"
	if got := hex.EncodeToString(secret.LookupOf(knownSecret(t))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLookupOf_DiffersFromOtherUses(t *testing.T) {
	lookup, bare := secret.LookupOf(knownSecret(t)), sha256.Sum256([]byte(known))
	digest, nobody := secret.DigestOf(client, knownSecret(t)), secret.DigestOf(uuid.Nil, knownSecret(t))
	for name, elsewhere := range map[string][]byte{
		"the digest":                     digest[:],
		"the digest for no client":       nobody[:],
		"another secret":                 secret.LookupOf(secret.Generate("sk_live_")),
		"no secret":                      secret.LookupOf(secret.Secret{}),
		"the bare SHA-256 of the secret": bare[:],
		"the end of the SHA-256":         bare[secret.LookupSize:],
		"the end of the digest":          digest[secret.LookupSize:],
	} {
		if bytes.Equal(lookup, elsewhere[:secret.LookupSize]) {
			t.Errorf("%s begins with the lookup", name)
		}
	}
	if len(lookup) != 16 {
		t.Errorf("got %d bytes", len(lookup))
	}
}

func TestMatches_OnlyTheWholeDigest(t *testing.T) {
	digest := secret.DigestOf(client, knownSecret(t))
	if !digest.Matches(digest[:]) || !digest.Matches(bytes.Clone(digest[:])) {
		t.Error("a digest does not match itself")
	}
	stored := map[string][]byte{
		"nothing stored":   nil,
		"an empty digest":  {},
		"a shorter digest": digest[:secret.DigestSize-1],
		"a longer digest":  append(digest[:], 0),
		"zeros":            make([]byte, secret.DigestSize),
	}
	for i := range secret.DigestSize * 8 {
		flipped := bytes.Clone(digest[:])
		flipped[i/8] ^= 1 << (i % 8)
		stored["one bit of another value, "+hex.EncodeToString(flipped)] = flipped
	}
	for name, value := range stored {
		if digest.Matches(value) {
			t.Errorf("%s matches", name)
		}
	}
	if (secret.Digest{}).Matches(nil) || (secret.Digest{}).Matches([]byte{}) {
		t.Error("the zero digest matches a row without a digest")
	}
}
