package storage_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/ent"
	"clientsd/ent/keysetkey"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// sealSigningKey stores something that the primary key has sealed, and returns the id
// of the key.
func sealSigningKey(t *testing.T, s *storage.Storage, name string) uint32 {
	t.Helper()
	used := sealer(t, s)
	sealed, err := used.SealSigningKey(name, []byte("private"))
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.Transact(t.Context(), func(ctx context.Context, tx *ent.Tx) error {
		return tx.SigningKey.Create().SetID(name).SetIssuer("issuer").SetPublic([]byte("public")).SetPrivateSealed(sealed).Exec(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return used.KeyID()
}

func rotateKeyset(t *testing.T, s *storage.Storage) {
	t.Helper()
	if _, err := s.Keyset.Rotate(); err != nil {
		t.Fatal(err)
	}
}

func wantInUse(t *testing.T, s *storage.Storage, want ...uint32) {
	t.Helper()
	got, err := s.DB.Read.KeysetKey.Query().Order(keysetkey.ByID()).IDs(t.Context())
	ids := map[uint32]bool{}
	for _, id := range got {
		ids[uint32(id)] = true
	}
	wanted := map[uint32]bool{}
	for _, id := range want {
		wanted[id] = true
	}
	if diff := cmp.Diff(wanted, ids); diff != "" || err != nil {
		t.Errorf("error %v, keys in use (-want +got):\n%s", err, diff)
	}
}

// rotated is storage whose keyset was rotated, before and after: older is the content
// of the keyset from before.
type rotated struct {
	config        storage.Config
	older         []byte
	first, second uint32
}

// newRotated returns storage in which two keys have sealed something. It is closed.
func newRotated(t *testing.T) rotated {
	t.Helper()
	r := rotated{config: storagetest.Config(t, storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true})}
	s := open(t, r.config)
	r.config.KeysetFile = s.KeysetFile
	r.older = read(t, s.KeysetFile)
	r.first = sealSigningKey(t, s, "first")
	rotateKeyset(t, s)
	wantInUse(t, s, r.first) // nothing is sealed with the second key yet
	r.second = sealSigningKey(t, s, "second")
	wantInUse(t, s, r.first, r.second)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpen_KeysetFromBeforeARotation(t *testing.T) {
	r := newRotated(t)
	newer := read(t, r.config.KeysetFile)
	overwrite(t, r.config.KeysetFile, r.older)
	content := r.config
	content.KeysetContent = string(r.older)
	want := fmt.Sprintf(": the keyset is older than the data: put its newest copy in its place: it lacks key %d, which has sealed 1 rows", r.second)
	for name, config := range map[string]storage.Config{"a file": r.config, "content": content} {
		if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrKeysetOlder) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got error %v\nwant %s", name, err, want)
		}
	}
	overwrite(t, r.config.KeysetFile, newer)
	wantInUse(t, open(t, r.config), r.first, r.second)
}

// Before the table of the keys in use there was nothing to compare with but the rows.
func TestOpen_KeysetFromBeforeARotationAndOlderSchema(t *testing.T) {
	r := newRotated(t)
	s := open(t, r.config)
	write(t, s, "DROP TABLE keyset_keys")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	overwrite(t, r.config.KeysetFile, r.older)
	if _, err := storage.Open(t.Context(), r.config); !errors.Is(err, storage.ErrKeysetOlder) {
		t.Errorf("got error %v", err)
	}
}

// The key of the keyset check is in use, whatever is recorded.
func TestOpen_KeyOfTheCheckIsNotRecorded(t *testing.T) {
	config := storagetest.Config(t, storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true})
	s := open(t, config)
	wantInUse(t, s, s.Keyset.Primary())
	write(t, s, "DELETE FROM keyset_keys")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	config.KeysetContent = string(read(t, newKeyset(t)))
	if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrKeysetWrong) {
		t.Errorf("got error %v", err)
	}
}

// A key may be recorded although it seals nothing any more: the database was restored
// from a backup, or the key was taken out of the keyset by hand.
func TestOpen_RecordedKeySealsNothing(t *testing.T) {
	r := newRotated(t)
	s := open(t, r.config)
	write(t, s, "DELETE FROM signing_keys WHERE id = 'second'")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	overwrite(t, r.config.KeysetFile, r.older)
	s = open(t, r.config)
	wantInUse(t, s, r.first)
	if err := s.Keyset.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestForgetKeys(t *testing.T) {
	s := storagetest.Open(t)
	first := sealSigningKey(t, s, "first")
	write(t, s, "INSERT INTO keyset_keys (id) VALUES (1), (2), (3)")
	if err := storage.ForgetKeys(t.Context(), s.DB.Transact, 1, 3, 4); err != nil {
		t.Fatal(err)
	}
	wantInUse(t, s, first, 2)
}

func TestCheck_RecordedByAnotherServer(t *testing.T) {
	s := storagetest.Open(t)
	missing := s.Keyset.Primary() + 1
	write(t, s, fmt.Sprintf("INSERT INTO keyset_keys (id) VALUES (%d)", missing))
	var state *secret.StateError
	if err := s.Keyset.Check(t.Context()); !errors.As(err, &state) || !cmp.Equal(state.Missing, []uint32{missing}) || state.File != nil {
		t.Errorf("got error %v", err)
	}
}
