package secret_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"clientsd/server/secret"
)

func newKeyset(t testing.TB) *secret.Keyset {
	t.Helper()
	keyset, err := secret.CreateKeyset(filepath.Join(t.TempDir(), "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}

// sealer returns the primary key of a keyset.
func sealer(t testing.TB, keyset *secret.Keyset) secret.Sealer {
	t.Helper()
	sealer, err := keyset.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func seal(t testing.TB, keyset *secret.Keyset, s secret.Secret) (digest secret.Digest, sealed []byte) {
	t.Helper()
	digest = secret.DigestOf(client, s)
	sealed, err := sealer(t, keyset).Seal(client, digest, s)
	if err != nil {
		t.Fatal(err)
	}
	return digest, sealed
}

func TestOpen_ReturnsTheSealedSecret(t *testing.T) {
	keyset, plain := newKeyset(t), knownSecret(t)
	digest, sealed := seal(t, keyset, plain)
	got, err := keyset.Open(client, digest[:], sealed)
	if err != nil || got.Reveal() != known {
		t.Errorf("got %q, error %v", got.Reveal(), err)
	}
	if _, again := seal(t, keyset, plain); bytes.Equal(sealed, again) {
		t.Error("sealing twice gives the same ciphertext")
	}
	if bytes.Contains(sealed, []byte(known[8:])) {
		t.Error("the ciphertext has the secret")
	}
}

func TestOpen_NotSealedForThisRow(t *testing.T) {
	keyset := newKeyset(t)
	digest, sealed := seal(t, keyset, knownSecret(t))
	otherDigest, otherSealed := seal(t, keyset, secret.Generate("sk_live_"))
	page, pageErr := sealer(t, keyset).SealPageToken([]byte(known), string(client[:]), string(digest[:]))
	check, checkErr := sealer(t, keyset).SealCheck()
	// A secret sealed with the digest of another one would open, if Open did not
	// compare the digests.
	crossed, crossedErr := sealer(t, keyset).Seal(client, otherDigest, knownSecret(t))
	if err := errors.Join(pageErr, checkErr, crossedErr); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ digest, sealed []byte }{
		"another secret's digest":        {otherDigest[:], sealed},
		"another secret's ciphertext":    {digest[:], otherSealed},
		"a digest that does not fit it":  {otherDigest[:], crossed},
		"a page token":                   {digest[:], page},
		"a keyset check":                 {digest[:], check},
		"no digest":                      {nil, sealed},
		"a shorter digest":               {digest[:31], sealed},
		"no ciphertext":                  {digest[:], nil},
		"only the id of the key":         {digest[:], sealed[:5]},
		"a ciphertext cut short":         {digest[:], sealed[:len(sealed)-1]},
		"a ciphertext with a byte more":  {digest[:], append(bytes.Clone(sealed), 0)},
		"the secret, not sealed at all":  {digest[:], []byte(known)},
		"a ciphertext without its start": {digest[:], sealed[5:]},
	} {
		t.Run(name, func(t *testing.T) { wantDamaged(t, keyset, tt.digest, tt.sealed) })
	}
	if got, err := keyset.Open(other, digest[:], sealed); !errors.Is(err, secret.ErrDamaged) || !got.IsZero() {
		t.Errorf("for another client: got %v, error %v", got, err)
	}
	for i := range sealed {
		if i >= 1 && i <= 4 {
			continue // another key: see TestOpen_UnknownKey
		}
		changed := bytes.Clone(sealed)
		changed[i] ^= 0x80
		wantDamaged(t, keyset, digest[:], changed)
	}
}

// What names another key may be sound: only the keyset lacks its key.
func TestOpen_UnknownKey(t *testing.T) {
	keyset, elsewhere := newKeyset(t), newKeyset(t)
	digest, sealed := seal(t, elsewhere, knownSecret(t))
	got, err := keyset.Open(client, digest[:], sealed)
	wantUnknownKey(t, err, elsewhere.Primary())
	if !got.IsZero() {
		t.Errorf("got %v", got)
	}
	private, err := sealer(t, elsewhere).SealSigningKey("key-1", []byte("private"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = keyset.OpenSigningKey("key-1", private)
	wantUnknownKey(t, err, elsewhere.Primary())
	page, err := sealer(t, elsewhere).SealPageToken([]byte("cursor"), "query")
	if err != nil {
		t.Fatal(err)
	}
	_, err = keyset.OpenPageToken(page, "query")
	wantUnknownKey(t, err, elsewhere.Primary())
	wantUnknownKey(t, keyset.OpenCheck(sealCheck(t, elsewhere)), elsewhere.Primary())
}

func wantDamaged(t *testing.T, keyset *secret.Keyset, digest, sealed []byte) {
	t.Helper()
	got, err := keyset.Open(client, digest, sealed)
	if !errors.Is(err, secret.ErrDamaged) || !got.IsZero() || err.Error() != "sealed data does not open" {
		t.Errorf("got %v, error %v", got, err)
	}
}

func TestOpenSigningKey_OnlyUnderItsOwnID(t *testing.T) {
	keyset := newKeyset(t)
	sealed, err := sealer(t, keyset).SealSigningKey("key-1", []byte("private"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keyset.OpenSigningKey("key-1", sealed); err != nil || string(got) != "private" {
		t.Errorf("got %q, error %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another id":   func() ([]byte, error) { return keyset.OpenSigningKey("key-2", sealed) },
		"no id":        func() ([]byte, error) { return keyset.OpenSigningKey("", sealed) },
		"a page token": func() ([]byte, error) { return keyset.OpenPageToken(sealed, "key-1") },
	} {
		if got, err := open(); !errors.Is(err, secret.ErrDamaged) || got != nil {
			t.Errorf("%s: got %q, error %v", name, got, err)
		}
	}
}

func TestOpenCheck_OnlyWithItsOwnKeyset(t *testing.T) {
	keyset := newKeyset(t)
	check, err := sealer(t, keyset).SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	if err := keyset.OpenCheck(check); err != nil {
		t.Errorf("its own keyset: %v", err)
	}
	wantUnknownKey(t, newKeyset(t).OpenCheck(check), keyset.Primary())
	if err := keyset.OpenCheck(nil); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("no check: got error %v", err)
	}
}

// The parts of a query stay apart: ("ab", "c") is another query than ("a", "bc").
func TestOpenPageToken_OnlyForItsOwnQuery(t *testing.T) {
	keyset := newKeyset(t)
	sealed, err := sealer(t, keyset).SealPageToken([]byte("cursor"), "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keyset.OpenPageToken(sealed, "ab", "c"); err != nil || string(got) != "cursor" {
		t.Errorf("got %q, error %v", got, err)
	}
	for _, query := range [][]string{{"a", "bc"}, {"abc", ""}, {"", "abc"}, {"abc"}, {"ab"}, {"ab", "c", ""}, {"c", "ab"}, nil} {
		if got, err := keyset.OpenPageToken(sealed, query...); !errors.Is(err, secret.ErrDamaged) || got != nil {
			t.Errorf("query %q: got %q, error %v", query, got, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	keyset := newKeyset(f)
	digest, sealed := seal(f, keyset, knownSecret(f))
	page, err := sealer(f, keyset).SealPageToken([]byte("cursor"), "organisation", "application")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range [][]byte{sealed, page, nil, sealed[:5], append(bytes.Clone(sealed[:5]), make([]byte, 28)...), []byte(known)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := keyset.Open(client, digest[:], text); err == nil && (got.Reveal() != known || !bytes.Equal(text, sealed)) {
			t.Errorf("%x opens as a secret", text)
		}
		if got, err := keyset.OpenPageToken(text, "organisation", "application"); err == nil && (string(got) != "cursor" || !bytes.Equal(text, page)) {
			t.Errorf("%x opens as a page token", text)
		}
	})
}
