package secret_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/secret"
)

// keysetFile creates a keyset, and returns it with the path of its file.
func keysetFile(t *testing.T) (*secret.Keyset, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k, err := secret.CreateKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	return k, path
}

func readAgain(t *testing.T, path string) *secret.Keyset {
	t.Helper()
	k, err := secret.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealCheck(t *testing.T, k *secret.Keyset) []byte {
	t.Helper()
	sealed, err := sealer(t, k).SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// wantUnknownKey fails the test unless the error says that a key is missing, and not
// that anything is damaged.
func wantUnknownKey(t *testing.T, err error, id uint32) {
	t.Helper()
	var unknown *secret.UnknownKeyError
	want := fmt.Sprintf("sealed with key %d, which the keyset does not have", id)
	if !errors.As(err, &unknown) || unknown.ID != id || err.Error() != want || errors.Is(err, secret.ErrDamaged) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func rotateKeyset(t *testing.T, k *secret.Keyset) secret.Key {
	t.Helper()
	key, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRotate_AddsAPrimaryKeyAndKeepsTheOthers(t *testing.T) {
	k, path := keysetFile(t)
	first := k.Primary()
	before := sealCheck(t, k)
	added := rotateKeyset(t, k)
	after := sealCheck(t, k)
	want := []secret.Key{{ID: first}, {ID: added.ID, Primary: true}}
	for name, keyset := range map[string]*secret.Keyset{"the one that rotated": k, "one read again": readAgain(t, path)} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, keyset.Keys()); diff != "" || keyset.Primary() != added.ID {
				t.Errorf("primary %d, keys (-want +got):\n%s", keyset.Primary(), diff)
			}
			if err := errors.Join(keyset.OpenCheck(before), keyset.OpenCheck(after)); err != nil {
				t.Errorf("open: %v", err)
			}
		})
	}
	for sealed, want := range map[string]uint32{string(before): first, string(after): added.ID} {
		if got, ok := secret.KeyOf([]byte(sealed)); !ok || got != want {
			t.Errorf("sealed by %d, want %d", got, want)
		}
	}
}

func TestRotate_FileForItsOwnerOnlyAndNoOther(t *testing.T) {
	k, path := keysetFile(t)
	first := k.Primary()
	rotateKeyset(t, k)
	if err := k.Remove(first); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v, error %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}

func TestRemove_RemovedKeyOpensNothing(t *testing.T) {
	k, path := keysetFile(t)
	first := k.Primary()
	old := sealCheck(t, k)
	kept := rotateKeyset(t, k)
	if err := k.Remove(first); err != nil {
		t.Fatal(err)
	}
	for _, keyset := range []*secret.Keyset{k, readAgain(t, path)} {
		if diff := cmp.Diff([]secret.Key{kept}, keyset.Keys()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		wantUnknownKey(t, keyset.OpenCheck(old), first)
		if err := keyset.OpenCheck(sealCheck(t, keyset)); err != nil {
			t.Errorf("what the other key has sealed: %v", err)
		}
	}
}

func TestRemove_PrimaryOrUnknownKey(t *testing.T) {
	k, path := keysetFile(t)
	first := k.Primary()
	primary := rotateKeyset(t, k)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, ids := range map[string][]uint32{
		"the primary key":                   {primary.ID},
		"an old key and then the primary":   {first, primary.ID},
		"a key that is not there":           {first + primary.ID + 1},
		"an old key, and again the old key": {first, first},
	} {
		t.Run(name, func(t *testing.T) {
			if err := k.Remove(ids...); err == nil {
				t.Error("got no error")
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the file has changed, error %v", err)
			}
		})
	}
}

func TestRotateAndRemove_KeysetWithoutAFile(t *testing.T) {
	_, path := keysetFile(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.ParseKeyset(content)
	if err != nil {
		t.Fatal(err)
	}
	before := k.Keys()
	_, rotateErr := k.Rotate()
	for _, err := range []error{rotateErr, k.Remove()} {
		if !errors.Is(err, secret.ErrNotAFile) || err.Error() != "the keyset does not come from a file: change it where it is kept" {
			t.Errorf("got error %v", err)
		}
	}
	if diff := cmp.Diff(before, k.Keys()); diff != "" {
		t.Errorf("keys (-before +after):\n%s", diff)
	}
	if err := k.WaitForReaders(t.Context()); err != nil {
		t.Errorf("WaitForReaders: %v", err)
	}
}

// Another process rotates; this one has just read the file.
func TestRotateAndRemove_ReadTheFileFirst(t *testing.T) {
	first, path := keysetFile(t)
	second := readAgain(t, path)
	original := first.Primary()
	a := rotateKeyset(t, first)
	b := rotateKeyset(t, second)
	if err := first.Remove(original); err != nil {
		t.Fatal(err)
	}
	want := []secret.Key{{ID: a.ID}, b}
	if diff := cmp.Diff(want, readAgain(t, path).Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestOpenCheck_KeyJustAddedByAnotherProcess(t *testing.T) {
	here, path := keysetFile(t)
	elsewhere := readAgain(t, path)
	rotateKeyset(t, elsewhere)
	if err := here.OpenCheck(sealCheck(t, elsewhere)); err != nil {
		t.Error(err)
	}
}

func TestWaitForReaders_WaitsForTwelveSeconds(t *testing.T) {
	k, path := keysetFile(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	want := "wait for running servers: context canceled"
	if err := k.WaitForReaders(ended); !errors.Is(err, context.Canceled) || err.Error() != want {
		t.Errorf("just after a change: got error %v, want %s", err, want)
	}
	for name, age := range map[string]time.Duration{"a minute ago": time.Minute, "twelve seconds ago": 12 * time.Second} {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		if err := k.WaitForReaders(t.Context()); err != nil {
			t.Errorf("changed %s: %v", name, err)
		}
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-11*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := k.WaitForReaders(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("changed eleven seconds ago: got error %v", err)
	}
}

func TestKeyset_KeepsItsContentIfTheFileCannotBeRead(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"it is gone":    os.Remove,
		"it is garbage": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"it is empty":   func(path string) error { return os.Truncate(path, 0) },
		"others can read it": func(path string) error {
			return errors.Join(os.Chtimes(path, time.Time{}, time.Now()), os.Chmod(path, 0o644))
		},
		"a folder has its name": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			k, path := keysetFile(t)
			before, keys := sealCheck(t, k), k.Keys()
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			// An unknown key makes the keyset read the file.
			wantUnknownKey(t, k.OpenCheck([]byte("\x01\x00\x00\x00\x07 another key")), 7)
			if err := errors.Join(k.OpenCheck(before), k.OpenCheck(sealCheck(t, k))); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(keys, k.Keys()); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	for name, tt := range map[string]struct {
		sealed string
		id     uint32
		ok     bool
	}{
		"nothing":           {"", 0, false},
		"too short":         {"\x01\x00\x00\x00", 0, false},
		"another prefix":    {"\x00\x00\x00\x00\x07text", 0, false},
		"a ciphertext":      {"\x01\x00\x00\x01\x07text", 263, true},
		"an id and no more": {"\x01\xff\xff\xff\xff", 1<<32 - 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			if id, ok := secret.KeyOf([]byte(tt.sealed)); id != tt.id || ok != tt.ok {
				t.Errorf("got %d, %v", id, ok)
			}
		})
	}
}
