package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"clientsd/server/durable"
)

// ErrNotAFile reports that a keyset did not come from a file, so clientsd cannot
// change it.
var ErrNotAFile = errors.New("the keyset does not come from a file: change it where it is kept")

// tinkPrefix begins every ciphertext, and the id of its key follows.
const tinkPrefix = 0x01

// A Key describes a key of a keyset without giving it away.
type Key struct {
	// ID is in every ciphertext of the key.
	ID uint32
	// Primary tells whether the key seals new data.
	Primary bool
}

// Keys returns the keys of the keyset, in the order in which they were added.
func (k *Keyset) Keys() []Key {
	return slices.Clone(k.look(reloadInterval).current.keys)
}

// Primary returns the id of the key that seals new data.
func (k *Keyset) Primary() uint32 {
	return k.look(reloadInterval).current.primary()
}

func keysOf(handle *keyset.Handle) []Key {
	info := handle.KeysetInfo()
	keys := make([]Key, len(info.GetKeyInfo()))
	for i, key := range info.GetKeyInfo() {
		keys[i] = Key{ID: key.GetKeyId(), Primary: key.GetKeyId() == info.GetPrimaryKeyId()}
	}
	return keys
}

// KeyOf returns the id of the key that sealed a ciphertext. It returns false if
// sealed is no ciphertext.
func KeyOf(sealed []byte) (uint32, bool) {
	if len(sealed) < 5 || sealed[0] != tinkPrefix {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// Rotate adds a key to the keyset file and makes it the primary one. Data sealed
// with older keys still opens. The keyset that is changed is the one in the file at
// that time; see [durable.Update].
//
// Errors: ErrNotAFile; the file cannot be replaced. The keyset is unchanged then.
func (k *Keyset) Rotate() (Key, error) {
	added := Key{Primary: true}
	err := k.update(func(manager *keyset.Manager) (err error) {
		if added.ID, err = manager.Add(aead.AES256GCMKeyTemplate()); err != nil {
			return err
		}
		return manager.SetPrimary(added.ID)
	})
	if err != nil {
		return Key{}, err
	}
	return added, nil
}

// Remove removes keys from the keyset file. Data sealed with them never opens
// again: the caller checks first that nothing needs them.
//
// Errors: ErrNotAFile; one of the ids is the primary key or not in the keyset; the
// file cannot be replaced. The keyset is unchanged then.
func (k *Keyset) Remove(ids ...uint32) error {
	return k.update(func(manager *keyset.Manager) error {
		for _, id := range ids {
			if err := manager.Delete(id); err != nil {
				return fmt.Errorf("remove key %d: %w", id, err)
			}
		}
		return nil
	})
}

// update changes the keyset file, and takes the change over.
func (k *Keyset) update(change func(*keyset.Manager) error) error {
	if k.path == "" {
		return ErrNotAFile
	}
	var fresh *loaded
	err := durable.Update(k.path, func(old []byte) ([]byte, error) {
		parsed, err := parse(old)
		if err != nil {
			return nil, err
		}
		manager := keyset.NewManagerFromHandle(parsed.handle)
		if err := change(manager); err != nil {
			return nil, err
		}
		handle, err := manager.Handle()
		if err != nil {
			return nil, err
		}
		content, err := marshal(handle)
		if err != nil {
			return nil, err
		}
		fresh, err = parse(content)
		return content, err
	})
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	k.view.Store(&view{current: fresh, file: fresh}) // so old that the file is read again
	return nil
}

func (l *loaded) has(id uint32) bool {
	return slices.ContainsFunc(l.keys, func(key Key) bool { return key.ID == id })
}

// without returns the keys that another content does not have.
func (l *loaded) without(other *loaded) []Key {
	return slices.DeleteFunc(slices.Clone(l.keys), func(key Key) bool { return other.has(key.ID) })
}

// primary returns the id of the key that seals.
func (l *loaded) primary() uint32 { return l.handle.KeysetInfo().GetPrimaryKeyId() }
