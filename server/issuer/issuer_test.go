package issuer_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"clientsd/ent"
	"clientsd/ent/signingkey"
	"clientsd/server/database"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
)

// A registry is a new database with all tables.
type registry struct {
	*ent.Client

	db *database.DB
}

func newDatabase(t *testing.T) (registry, *secret.Keyset) {
	t.Helper()
	opened := storagetest.Open(t)
	return registry{opened.DB.Write, opened.DB}, opened.Keyset
}

func keysOf(r registry) issuer.Database {
	return issuer.Database{Read: r.db.Read, Transact: r.db.Serialise}
}

func newKeyset(t *testing.T) *secret.Keyset {
	t.Helper()
	keyset, err := secret.CreateKeyset(filepath.Join(t.TempDir(), "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}

func create(t *testing.T, db registry, keyset *secret.Keyset) *issuer.Issuer {
	t.Helper()
	made, err := issuer.OpenOrCreate(t.Context(), keysOf(db), keyset)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func onlyKey(t *testing.T, db registry) *ent.SigningKey {
	t.Helper()
	row, err := db.SigningKey.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestOpenOrCreate_CreatesOnce(t *testing.T) {
	db, keyset := newDatabase(t)
	if _, err := issuer.Open(t.Context(), keysOf(db), keyset); !errors.Is(err, issuer.ErrNoKey) ||
		err.Error() != "there is no signing key yet: clientsd serve makes one" {
		t.Errorf("before it is made: got error %v", err)
	}
	made := create(t, db, keyset)
	key := onlyKey(t, db)
	if made.Name() != key.Issuer || made.Key(t.Context(), key.ID) == nil || made.Key(t.Context(), "other") != nil || made.Key(t.Context(), key.ID).N.BitLen() != 2048 {
		t.Errorf("got %s with key %v", made.Name(), made.Key(t.Context(), key.ID))
	}
	opened, openErr := issuer.Open(t.Context(), keysOf(db), keyset)
	again, againErr := issuer.OpenOrCreate(t.Context(), keysOf(db), keyset)
	if err := errors.Join(openErr, againErr); err != nil {
		t.Fatal(err)
	}
	for _, other := range []*issuer.Issuer{opened, again} {
		if other.Name() != made.Name() || !bytes.Equal(other.JWKS(t.Context()), made.JWKS(t.Context())) || !made.Key(t.Context(), key.ID).Equal(other.Key(t.Context(), key.ID)) {
			t.Errorf("%s is another issuer than %s", other.Name(), made.Name())
		}
	}
}

func TestOpenOrCreate_ConcurrentServersShareOneKey(t *testing.T) {
	db, keyset := newDatabase(t)
	const servers = 4
	names, errs := make([]string, servers), make([]error, servers)
	var group sync.WaitGroup
	for i := range servers {
		group.Go(func() {
			var made *issuer.Issuer
			if made, errs[i] = issuer.OpenOrCreate(t.Context(), keysOf(db), keyset); errs[i] == nil {
				names[i] = made.Name()
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	key := onlyKey(t, db)
	for _, name := range names {
		if name != key.Issuer {
			t.Errorf("got issuer %s, want %s", name, key.Issuer)
		}
	}
}

func TestPrivateKey_IsSealed(t *testing.T) {
	db, keyset := newDatabase(t)
	create(t, db, keyset)
	key := onlyKey(t, db)
	if _, err := x509.ParsePKCS8PrivateKey(key.PrivateSealed); err == nil {
		t.Error("the private key lies in the clear")
	}
	encoded, err := keyset.OpenSigningKey(key.ID, key.PrivateSealed)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(key.PrivateSealed, encoded[len(encoded)/2:len(encoded)/2+16]) {
		t.Error("the private key is in what is stored")
	}
}

func TestOpen_DamagedKey(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(context.Context, registry, *ent.SigningKey) error
	}{
		"a private key that does not open": {func(ctx context.Context, db registry, key *ent.SigningKey) error {
			return db.SigningKey.UpdateOne(key).SetPrivateSealed([]byte("damaged")).Exec(ctx)
		}},
		"a public key that is none": {func(ctx context.Context, db registry, key *ent.SigningKey) error {
			_, err := db.ExecContext(ctx, "UPDATE signing_keys SET public = $1 WHERE id = $2", []byte{0}, key.ID)
			return err
		}},
		"a key that was renamed": {func(ctx context.Context, db registry, key *ent.SigningKey) error {
			_, err := db.ExecContext(ctx, "UPDATE signing_keys SET id = 'other' WHERE id = $1", key.ID)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db, keyset := newDatabase(t)
			create(t, db, keyset)
			if err := tt.damage(t.Context(), db, onlyKey(t, db)); err != nil {
				t.Fatal(err)
			}
			want := "load signing keys: key " + onlyKey(t, db).ID + ": sealed data does not open"
			if got, err := issuer.OpenOrCreate(t.Context(), keysOf(db), keyset); got != nil || !errors.Is(err, secret.ErrDamaged) || err.Error() != want {
				t.Errorf("got %v, error %v, want %s", got, err, want)
			}
		})
	}
	db, keyset := newDatabase(t)
	create(t, db, keyset)
	var unknown *secret.UnknownKeyError
	if _, err := issuer.Open(t.Context(), keysOf(db), newKeyset(t)); !errors.As(err, &unknown) || unknown.ID != keyset.Primary() {
		t.Errorf("with another keyset: got error %v", err)
	}
}

// A server may lack the key of the keyset that has sealed a new signing key. Tokens
// that are signed with it verify all the same, but the server signs none.
func TestKey_PrivateKeyDoesNotOpen(t *testing.T) {
	opened := storagetest.Open(t)
	content, err := os.ReadFile(opened.KeysetFile)
	if err != nil {
		t.Fatal(err)
	}
	older, err := secret.ParseKeyset(content)
	if err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	db := issuer.Database{Read: opened.DB.Read, Transact: opened.DB.Serialise, Log: slog.New(slog.NewTextHandler(&logs, nil))}
	here, err := issuer.OpenOrCreate(t.Context(), db, older)
	if err != nil {
		t.Fatal(err)
	}
	key, err := opened.Keyset.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := issuer.Open(t.Context(), db, opened.Keyset)
	if err != nil {
		t.Fatal(err)
	}
	keyID, err := elsewhere.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if here.Key(t.Context(), keyID) == nil {
		t.Error("the new key is not known")
	}
	want := fmt.Sprintf("key %s: sealed with key %d, which the keyset does not have", keyID, key.ID)
	if !strings.Contains(logs.String(), "level=ERROR") || !strings.Contains(logs.String(), want) {
		t.Errorf("the log says %s", &logs)
	}
	if token, err := here.Mint(t.Context(), grant()); token != "" || err == nil || err.Error() != "mint token: "+want {
		t.Errorf("got %q, error %v", token, err)
	}
}

// A second key signs from now on, and the tokens of the first stay valid.
func TestOpen_NewestKeySigns(t *testing.T) {
	db, keyset := newDatabase(t)
	first := create(t, db, keyset)
	mint(t, first, grant())
	old := onlyKey(t, db)
	elsewhere, _ := newDatabase(t)
	create(t, elsewhere, keyset)
	made := onlyKey(t, elsewhere)
	err := db.SigningKey.Create().SetID(made.ID).SetIssuer(old.Issuer).SetPublic(made.Public).
		SetPrivateSealed(made.PrivateSealed).SetCreatedAt(old.CreatedAt.Add(time.Second)).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	both := create(t, db, keyset)
	if both.Name() != first.Name() || both.Key(t.Context(), old.ID) == nil || both.Key(t.Context(), made.ID) == nil {
		t.Errorf("got %s with keys %v and %v", both.Name(), both.Key(t.Context(), old.ID), both.Key(t.Context(), made.ID))
	}
	header, _ := parts(t, mint(t, both, grant()))
	if header["kid"] != made.ID {
		t.Errorf("signs with %v, want %s", header["kid"], made.ID)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(both.JWKS(t.Context()), &set); err != nil || len(set.Key(old.ID)) != 1 || len(set.Key(made.ID)) != 1 {
		t.Errorf("the JWKS has %d and %d of the keys, error %v", len(set.Key(old.ID)), len(set.Key(made.ID)), err)
	}
	count, err := db.SigningKey.Query().Where(signingkey.Issuer(old.Issuer)).Count(t.Context())
	if diff := cmp.Diff(2, count); diff != "" || err != nil {
		t.Errorf("keys (-want +got), error %v:\n%s", err, diff)
	}
}
