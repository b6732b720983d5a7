package issuer_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"clientsd/ent"
	"clientsd/server/issuer"
)

// published are the ids in the JWKS, in order.
func published(t *testing.T, i *issuer.Issuer) []string {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(i.JWKS(t.Context()), &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range set.Keys {
		ids = append(ids, key.KeyID)
	}
	slices.Sort(ids)
	return ids
}

func wantPublished(t *testing.T, i *issuer.Issuer, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, published(t, i)); diff != "" {
		t.Errorf("the JWKS (-want +got):\n%s", diff)
	}
}

func rotate(t *testing.T, i *issuer.Issuer) (keyID string) {
	t.Helper()
	keyID, err := i.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keyID
}

// keyOf is the id of the key that signed a token.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	header, _ := parts(t, token)
	id, _ := header["kid"].(string)
	return id
}

// expireTokens makes the last token of a key have expired so long ago.
func expireTokens(t *testing.T, db registry, keyID string, ago time.Duration) {
	t.Helper()
	if err := db.SigningKey.UpdateOneID(keyID).SetTokensUntil(time.Now().Add(-ago)).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRotate_KeepsOldKeyForItsTokens(t *testing.T) {
	db, keyset := newDatabase(t)
	i := create(t, db, keyset)
	old := keyOf(t, mint(t, i, grant()))
	name := i.Name()
	added := rotate(t, i)
	if got := keyOf(t, mint(t, i, grant())); got != added || added == old || i.Name() != name {
		t.Errorf("key %s of %s signs, want %s of %s", got, i.Name(), added, name)
	}
	for _, keyID := range []string{old, added} {
		if i.Key(t.Context(), keyID) == nil {
			t.Errorf("key %s is not known", keyID)
		}
	}
	wantPublished(t, i, old, added)
}

func TestKey_ExpiredTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		ago   time.Duration
		known bool
	}{
		"its last token has not expired":      {-time.Minute, true},
		"its last token expired a moment ago": {50 * time.Second, true}, // clocks differ
		"its last token expired a while ago":  {70 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			db, keyset := newDatabase(t)
			first := create(t, db, keyset)
			old := keyOf(t, mint(t, first, grant()))
			rotate(t, first)
			added := keyOf(t, mint(t, first, grant()))
			expireTokens(t, db, old, tt.ago)
			i := create(t, db, keyset)
			want := []string{added}
			if tt.known {
				want = append(want, old)
			}
			wantPublished(t, i, want...)
			if got := i.Key(t.Context(), old) != nil; got != tt.known {
				t.Errorf("the old key is known: %v, want %v", got, tt.known)
			}
			if third := rotate(t, i); tt.known {
				wantPublished(t, i, append(want, third)...)
			} else if _, err := db.SigningKey.Get(t.Context(), old); !ent.IsNotFound(err) {
				t.Errorf("the next rotation leaves the key, error %v", err)
			}
		})
	}
}

func TestRotate_RemovesKeyThatSignedNothing(t *testing.T) {
	db, keyset := newDatabase(t)
	i := create(t, db, keyset)
	rotate(t, i)
	second := rotate(t, i)
	rows, err := db.SigningKey.Query().IDs(t.Context())
	if err != nil || len(rows) != 2 || !slices.Contains(rows, second) {
		t.Errorf("got keys %v, want two with %s, error %v", rows, second, err)
	}
	wantPublished(t, i, second)
}

// The issuer of a running server, while a command rotates alongside it.
func TestKey_AddedByAnotherProcess(t *testing.T) {
	db, keyset := newDatabase(t)
	server := create(t, db, keyset)
	old := keyOf(t, mint(t, server, grant()))
	command := create(t, db, keyset)
	added := rotate(t, command)
	if server.Key(t.Context(), added) == nil || server.Key(t.Context(), old) == nil {
		t.Error("a key is not known")
	}
	wantPublished(t, server, old, added)
}

// Asking for keys nobody knows costs one look at the database a second at
// most. What that look missed is not found before the next.
func TestKey_UnknownIDsAreBounded(t *testing.T) {
	db, keyset := newDatabase(t)
	server := create(t, db, keyset)
	command := create(t, db, keyset)
	begun := time.Now()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { _ = server.Key(t.Context(), "nobody's") })
	}
	group.Wait()
	added := rotate(t, command)
	known := server.Key(t.Context(), added) != nil
	if known && time.Since(begun) < time.Second {
		t.Error("the database was asked twice within a second")
	}
	for deadline := begun.Add(30 * time.Second); server.Key(t.Context(), added) == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the new key never becomes known")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Two processes mint while keys change under them: whatever key signs is kept
// until the token has expired.
func TestRotate_KeepsKeyUntilItsTokensExpire(t *testing.T) {
	db, keyset := newDatabase(t)
	long := create(t, db, keyset) // has read the keys before the others are made
	command := create(t, db, keyset)
	rotate(t, command)
	added := rotate(t, command) // the first has signed nothing, and is gone
	token := mint(t, long, grant())
	if got := keyOf(t, token); got != added {
		t.Errorf("key %s signs, want %s", got, added)
	}
	rotate(t, command)
	if fresh := create(t, db, keyset); fresh.Key(t.Context(), added) == nil {
		t.Error("the key of a token that is valid is retired")
	}
}
