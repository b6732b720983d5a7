package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// ErrNotAFile says that a keyset did not come from a file, so that it cannot be
// changed here.
var ErrNotAFile = errors.New("the keyset does not come from a file: change it where it is kept")

// tinkPrefix begins every ciphertext, and the id of its key follows.
const tinkPrefix = 0x01

// A Key is what anyone may know of a key of a keyset.
type Key struct {
	// ID is in every ciphertext the key has made.
	ID uint32
	// Primary says that new ciphertexts are made with it.
	Primary bool
}

// Keys are the keys of the keyset, in the order they were added.
func (k *Keyset) Keys() []Key { return slices.Clone(k.latest().keys) }

// Primary is the id of the key that new ciphertexts are made with.
func (k *Keyset) Primary() uint32 {
	return k.latest().handle.KeysetInfo().GetPrimaryKeyId()
}

func keysOf(handle *keyset.Handle) []Key {
	info := handle.KeysetInfo()
	keys := make([]Key, len(info.GetKeyInfo()))
	for i, key := range info.GetKeyInfo() {
		keys[i] = Key{ID: key.GetKeyId(), Primary: key.GetKeyId() == info.GetPrimaryKeyId()}
	}
	return keys
}

// KeyOf is the id of the key that made a ciphertext, or false if it is none.
func KeyOf(sealed []byte) (uint32, bool) {
	if len(sealed) < 5 || sealed[0] != tinkPrefix {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// Rotate adds a key to the keyset file and makes it the primary one. What older
// keys have sealed still opens.
//
// Errors: ErrNotAFile, or the file cannot be replaced; the keyset is unchanged.
func (k *Keyset) Rotate() (Key, error) {
	manager := keyset.NewManagerFromHandle(k.newest().handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return Key{}, fmt.Errorf("rotate keyset: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return Key{}, fmt.Errorf("rotate keyset: %w", err)
	}
	return Key{ID: id, Primary: true}, k.replace(manager)
}

// Remove takes keys out of the keyset file. What they have sealed never opens
// again: ask first whether anything still needs them.
//
// Errors: ErrNotAFile; one of them is the primary key, or is not there; the
// keyset is unchanged.
func (k *Keyset) Remove(ids ...uint32) error {
	manager := keyset.NewManagerFromHandle(k.newest().handle)
	for _, id := range ids {
		if err := manager.Delete(id); err != nil {
			return fmt.Errorf("remove key %d: %w", id, err)
		}
	}
	return k.replace(manager)
}

func (k *Keyset) replace(manager *keyset.Manager) error {
	if k.path == "" {
		return ErrNotAFile
	}
	handle, err := manager.Handle()
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	content, err := marshal(handle)
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	if err := replaceDurably(k.path, content); err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	k.newest()
	return nil
}

func (l *loaded) has(id uint32) bool {
	return slices.ContainsFunc(l.keys, func(key Key) bool { return key.ID == id })
}
