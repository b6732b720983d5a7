package reencrypt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/issuer"
	"clientsd/server/reencrypt"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
	"clientsd/server/tx"
)

// registry is the storage of a server, with clients in it.
type registry struct {
	*storage.Storage

	secrets map[uuid.UUID]secret.Secret
	rows    map[uuid.UUID]*ent.OAuthClient // as they were created
}

// fill creates a registry of so many clients with a secret, and one without.
func fill(t *testing.T, clients int) *registry {
	t.Helper()
	opened := storagetest.Open(t)
	if _, err := issuer.OpenOrCreate(t.Context(), keysOf(opened), opened.Keyset); err != nil {
		t.Fatal(err)
	}
	r := &registry{Storage: opened, secrets: map[uuid.UUID]secret.Secret{}}
	r.insert(t, clients)
	r.rows = r.read(t)
	return r
}

// client returns a client with a value in every required field.
func (r *registry) client(id uuid.UUID) *ent.OAuthClientCreate {
	created := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return r.DB.Write.OAuthClient.Create().SetID(id).SetOrganisation("acme").SetCreatedAt(created).SetUpdatedAt(created).
		SetRevision(7).SetName("My OAuth App").SetRedirectURI("https://myapp.example.com/callback").
		SetWebsiteURL("https://myapp.example.com").SetDescription("A sample").SetSupportsRefreshToken(true).
		SetSupportsImplicitGrant(true).SetSupportsDeviceCodeGrant(true).SetSupportsCodeGrant(true).SetUsesManagedBuckets(true).
		SetApplicationBindings(nil).SetAllowedDelegators([]string{"a"}).SetBackchannelLogoutSessionRequired(true).
		SetFrontchannelLogoutSessionRequired(true).SetPostLogoutRedirectUris([]string{"b"}).SetIsVerified(true)
}

// sealer returns the primary key of the keyset.
func (r *registry) sealer(t *testing.T) secret.Sealer {
	t.Helper()
	sealer, err := r.Keyset.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func (r *registry) insert(t *testing.T, clients int) {
	t.Helper()
	builders := []*ent.OAuthClientCreate{r.client(uuid.New()).SetHasSecret(false)}
	for range clients {
		id := uuid.New()
		plain := secret.Generate("sk_live_")
		digest := secret.DigestOf(id, plain)
		sealed, err := r.sealer(t).Seal(id, digest, plain)
		if err != nil {
			t.Fatal(err)
		}
		r.secrets[id] = plain
		builders = append(builders, r.client(id).SetHasSecret(true).SetSecretVersion(1).
			SetSecretDigest(digest[:]).SetSecretSealed(sealed))
	}
	err := tx.InTx(t.Context(), r.DB.Write, func(ctx context.Context, tx *ent.Tx) error {
		for chunk := range slices.Chunk(builders, 100) {
			if err := tx.OAuthClient.CreateBulk(chunk...).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *registry) read(t *testing.T) map[uuid.UUID]*ent.OAuthClient {
	t.Helper()
	rows, err := r.DB.Read.OAuthClient.Query().All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[uuid.UUID]*ent.OAuthClient{}
	for _, row := range rows {
		byID[row.ID] = row
	}
	return byID
}

// wantSealedWith fails the test unless every secret opens and is sealed with the
// key, and only the ciphertexts of the rows have changed.
func (r *registry) wantSealedWith(t *testing.T, key uint32, except ...uuid.UUID) {
	t.Helper()
	rows := r.read(t)
	ignored := cmpopts.IgnoreFields(ent.OAuthClient{}, "SecretSealed", "Edges")
	if diff := cmp.Diff(r.rows, rows, ignored, cmpopts.IgnoreUnexported(ent.OAuthClient{})); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	for id, plain := range r.secrets {
		if slices.Contains(except, id) {
			continue
		}
		opened, err := r.Keyset.Open(id, rows[id].SecretDigest, rows[id].SecretSealed)
		if err != nil || opened.Reveal() != plain.Reveal() {
			t.Fatalf("client %s: the secret has changed, error %v", id, err)
		}
		if got, _ := secret.KeyOf(rows[id].SecretSealed); got != key {
			t.Fatalf("client %s is sealed with key %d, want %d", id, got, key)
		}
	}
}

func (r *registry) rotate(t *testing.T) secret.Key {
	t.Helper()
	key, err := r.Keyset.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// run reseals everything, and returns how many clients progress was called with.
func (r *registry) run(ctx context.Context) (result reencrypt.Result, clients int, err error) {
	result, err = reencrypt.Run(ctx, r.DB.Read, r.DB.Transact, r.Keyset, func(n int) { clients += n })
	return result, clients, err
}

func (r *registry) wantUsage(t *testing.T, want map[uint32]int) {
	t.Helper()
	got, err := storage.SealedRows(t.Context(), r.DB.Read)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sealed rows by key (-want +got):\n%s", diff)
	}
}

// others counts what is sealed and no secret: a signing key and the keyset check.
const others = 2

func TestRun_SealsEverythingWithThePrimaryKey(t *testing.T) {
	const clients = 430 // batches are of 200
	r := fill(t, clients)
	old := r.Keyset.Primary()
	r.wantUsage(t, map[uint32]int{old: clients + others})
	key := r.rotate(t)
	result, progressed, err := r.run(t.Context())
	if diff := cmp.Diff(reencrypt.Result{Resealed: clients + 1}, result); diff != "" || err != nil || progressed != clients+1 {
		t.Errorf("progress of %d clients, error %v, result (-want +got):\n%s", progressed, err, diff)
	}
	r.wantSealedWith(t, key.ID)
	r.wantUsage(t, map[uint32]int{key.ID: clients + others})
	result, _, err = r.run(t.Context())
	if diff := cmp.Diff(reencrypt.Result{}, result); diff != "" || err != nil {
		t.Errorf("again: error %v, result (-want +got):\n%s", err, diff)
	}
	if err := r.Keyset.Remove(old); err != nil {
		t.Fatal(err)
	}
	r.wantSealedWith(t, key.ID)
	r.wantOpens(t)
}

// wantOpens fails the test unless the database still knows its keyset, and its
// signing key opens.
func (r *registry) wantOpens(t *testing.T) {
	t.Helper()
	keyset, err := secret.ReadKeyset(r.KeysetFile)
	if err != nil {
		t.Fatal(err)
	}
	check, err := r.DB.Read.KeysetCheck.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = issuer.Open(t.Context(), keysOf(r.Storage), keyset)
	if err := errors.Join(err, keyset.OpenCheck(check.Sealed)); err != nil {
		t.Error(err)
	}
}

func TestRun_AfterAnInterruptedRun(t *testing.T) {
	const clients = 430
	r := fill(t, clients)
	old, key := r.Keyset.Primary(), r.rotate(t)
	ctx, interrupt := context.WithCancel(t.Context())
	batches := 0
	_, err := reencrypt.Run(ctx, r.DB.Read, r.DB.Transact, r.Keyset, func(int) {
		if batches++; batches == 2 {
			interrupt()
		}
	})
	if !errors.Is(err, context.Canceled) || err.Error()[:len("reseal secrets: ")] != "reseal secrets: " {
		t.Errorf("got error %v", err)
	}
	usage, err := storage.SealedRows(t.Context(), r.DB.Read)
	if err != nil || usage[old]+usage[key.ID] != clients+others || usage[old] == 0 || usage[key.ID] == 0 {
		t.Errorf("sealed rows by key: %v, error %v", usage, err)
	}
	result, _, err := r.run(t.Context())
	if want := usage[old] - 1; result.Resealed != want || err != nil { // the check is sealed again each time, and not counted
		t.Errorf("resealed %d, want %d, error %v", result.Resealed, want, err)
	}
	r.wantSealedWith(t, key.ID)
	r.wantUsage(t, map[uint32]int{key.ID: clients + others})
}

func TestRun_DamagedRowsDoNotStopTheOthers(t *testing.T) {
	const clients = 20
	r := fill(t, clients)
	old, key := r.Keyset.Primary(), r.rotate(t)
	ids := slices.SortedFunc(maps.Keys(r.secrets), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	damaged := []uuid.UUID{ids[0], ids[7], ids[clients-1]}
	r.damage(t, damaged[0], "secret_sealed = secret_digest")
	r.damage(t, damaged[1], "secret_sealed = (SELECT secret_sealed FROM oauth_clients WHERE id = '"+ids[8].String()+"')")
	r.damage(t, damaged[2], "secret_digest = secret_sealed")
	r.rows = r.read(t)
	for _, resealed := range []int{clients - len(damaged) + 1, 0} {
		result, _, err := r.run(t.Context())
		if diff := cmp.Diff(reencrypt.Result{Resealed: resealed, Damaged: damaged}, result); diff != "" || err != nil {
			t.Errorf("error %v, result (-want +got):\n%s", err, diff)
		}
		r.wantSealedWith(t, key.ID, damaged...)
		r.wantUsage(t, map[uint32]int{key.ID: clients - len(damaged) + others, old: 2})
	}
}

func (r *registry) damage(t *testing.T, id uuid.UUID, assignment string) {
	t.Helper()
	if _, err := r.DB.Write.ExecContext(t.Context(), "UPDATE oauth_clients SET "+assignment+" WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
}

// A secret whose key is in use elsewhere is not damaged: nobody must rotate it.
func TestRun_KeyIsMissing(t *testing.T) {
	const clients = 3
	r := fill(t, clients)
	r.rotate(t)
	id := slices.Collect(maps.Keys(r.secrets))[0]
	missing := r.Keyset.Primary() + 1
	sealed := binary.BigEndian.AppendUint32([]byte{1}, missing)
	err := r.DB.Write.OAuthClient.UpdateOneID(id).SetSecretSealed(append(sealed, "ciphertext"...)).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result, _, err := r.run(t.Context()); err != nil || !slices.Equal(result.Damaged, []uuid.UUID{id}) {
		t.Errorf("a key that is not in use: got %v, error %v", result, err)
	}
	if err := r.DB.Write.KeysetKey.Create().SetID(int64(missing)).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	var unknown *secret.UnknownKeyError
	if result, _, err := r.run(t.Context()); !errors.As(err, &unknown) || unknown.ID != missing || len(result.Damaged) > 0 {
		t.Errorf("a key in use: got %v, error %v", result, err)
	}
}

func TestRun_DamagedSigningKey(t *testing.T) {
	r := fill(t, 3)
	key := r.rotate(t)
	row, err := r.DB.Write.SigningKey.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := row.Update().SetPrivateSealed([]byte("damaged")).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, err = r.run(t.Context())
	want := "reseal signing keys: key " + row.ID + ": sealed data does not open"
	if !errors.Is(err, secret.ErrDamaged) || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	r.wantSealedWith(t, key.ID)
}

// A rotation may store a newer secret after Run has read the row.
func TestRun_ClientRotatedMeanwhile(t *testing.T) {
	const clients = 3
	r := fill(t, clients)
	key := r.rotate(t)
	rotated := slices.Collect(maps.Keys(r.secrets))[0]
	rotate := func() {
		plain := secret.Generate("sk_live_")
		digest := secret.DigestOf(rotated, plain)
		sealed, err := r.sealer(t).Seal(rotated, digest, plain)
		if err != nil {
			t.Fatal(err)
		}
		r.secrets[rotated] = plain
		err = r.DB.Write.OAuthClient.UpdateOneID(rotated).SetSecretDigest(digest[:]).SetSecretSealed(sealed).Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.rows = r.read(t)
	}
	once := sync.OnceFunc(rotate)
	transact := func(ctx context.Context, body tx.Body) error {
		once()
		return r.DB.Transact(ctx, body)
	}
	result, err := reencrypt.Run(t.Context(), r.DB.Read, transact, r.Keyset, func(int) {})
	want := reencrypt.Result{Resealed: clients - 1 + 1} // the other clients and the signing key
	if diff := cmp.Diff(want, result); diff != "" || err != nil {
		t.Errorf("error %v, result (-want +got):\n%s", err, diff)
	}
	r.wantSealedWith(t, key.ID)
}

func keysOf(s *storage.Storage) issuer.Database {
	return issuer.Database{Read: s.DB.Read, Transact: s.DB.Serialise}
}
