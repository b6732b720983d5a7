package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"clientsd/server/durable"
)

// readerTime is how long after a change of the file a server may still store
// data sealed with the old content: until it reads the file again, and the calls
// that run at that time have ended.
const readerTime = reloadInterval + 10*time.Second

// A Keyset seals and opens the data that the database must not hold in the
// clear. It wraps a Tink keyset of AEAD keys: every ciphertext names the key that
// sealed it.
//
// A keyset from a file follows the file: it uses an added key within two
// seconds. A Keyset is safe for concurrent use. It prints as "[redacted]".
type Keyset struct {
	path     string    // empty: not from a file
	use      KeysInUse // see Bind
	view     atomic.Pointer[view]
	recorded atomic.Pointer[recording]
}

// loaded is a content of a keyset.
type loaded struct {
	handle *keyset.Handle
	aead   tink.AEAD
	keys   []Key
}

// ReadKeyset reads the keyset file at path. The error wraps [io/fs.ErrNotExist] if
// there is no file. A file that others than its owner and the group of this process
// may use is an error too.
func ReadKeyset(path string) (*Keyset, error) {
	seen := readFile(path, time.Now())
	if seen.err != nil {
		return nil, seen.err
	}
	seen.current = seen.file
	k := &Keyset{path: path}
	k.view.Store(seen)
	return k, nil
}

// ParseKeyset parses a Tink keyset in JSON, the format of a keyset file. Errors
// never quote the content.
func ParseKeyset(content []byte) (*Keyset, error) {
	parsed, err := parse(content)
	if err != nil {
		return nil, err
	}
	k := &Keyset{}
	k.view.Store(&view{current: parsed, file: parsed})
	return k, nil
}

// CreateKeyset creates a keyset of one AES-256-GCM key in a new file that only
// its owner can read. The file is on disk when it returns: a keyset must never be
// lost before the database that it seals. CreateKeyset never replaces a file: the
// error wraps [io/fs.ErrExist] if there is one.
func CreateKeyset(path string) (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	content, err := marshal(handle)
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	if err := durable.CreateFile(path, content); err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	return ReadKeyset(path)
}

// Format writes "[redacted]" for every verb and flag.
func (*Keyset) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// WaitForReaders waits until no server stores data that it has sealed with an
// older content of the keyset file. That is twelve seconds after the last change.
// It fails if the file cannot be read, or if ctx ends first.
func (k *Keyset) WaitForReaders(ctx context.Context) error {
	seen := k.look(0)
	if seen.err != nil {
		return seen.err
	}
	left := min(time.Until(seen.version.modified.Add(readerTime)), readerTime)
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running servers: %w", ctx.Err())
	}
}

// open decrypts. It reads the file first if it does not know the key, which
// another process may just have added.
func (k *Keyset) open(sealed, associatedData []byte) ([]byte, error) {
	content := k.view.Load().current
	id, named := KeyOf(sealed)
	if named && !content.has(id) {
		seen := k.look(0)
		content = seen.current
		if seen.isRefused() && seen.file.has(id) {
			content = seen.file
		}
	}
	text, err := content.aead.Decrypt(sealed, associatedData)
	switch {
	case err == nil:
		return text, nil
	case named && !content.has(id):
		return nil, &UnknownKeyError{ID: id}
	default:
		return nil, ErrDamaged // the cause says nothing more
	}
}

func parse(content []byte) (*loaded, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil {
		return nil, errors.New("parse keyset: not a Tink keyset in JSON")
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("parse keyset: its keys are not AEAD keys")
	}
	return &loaded{handle: handle, aead: primitive, keys: keysOf(handle)}, nil
}

func marshal(handle *keyset.Handle) ([]byte, error) {
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}
