package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"clientsd/server/durable"
)

// keysetMode is the most that a keyset file may allow: its owner reads and writes.
const keysetMode fs.FileMode = 0o600

// reloadInterval is how long a server may miss a change of the keyset file.
const reloadInterval = 2 * time.Second

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
	path    string // empty: not from a file
	current atomic.Pointer[loaded]
}

// loaded holds the content of a keyset at one time.
type loaded struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	keys    []Key
	version fileVersion
	checked time.Time
}

// fileVersion identifies a version of the file, which is replaced and never
// changed.
type fileVersion struct {
	modified time.Time
	size     int64
}

// ReadKeyset reads the keyset file at path. The error wraps [fs.ErrNotExist] if
// there is no file. A file that others than its owner may read is an error too.
func ReadKeyset(path string) (*Keyset, error) {
	k := &Keyset{path: path}
	content, err := k.readFile()
	if err != nil {
		return nil, err
	}
	k.current.Store(content)
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
	k.current.Store(parsed)
	return k, nil
}

// CreateKeyset creates a keyset of one AES-256-GCM key in a new file that only
// its owner can read. The file is on disk when it returns: a keyset must never be
// lost before the database that it seals. CreateKeyset never replaces a file: the
// error wraps [fs.ErrExist] if there is one.
func CreateKeyset(path string) (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	content, err := marshal(handle)
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	if err := durable.Create(path, writer(content)); err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	return ReadKeyset(path)
}

// writer returns a function that writes a keyset to the file it is given.
func writer(content []byte) func(path string) error {
	return func(path string) error { return os.WriteFile(path, content, keysetMode) }
}

// Format writes "[redacted]" for every verb and flag.
func (*Keyset) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// latest returns the content of the keyset. It reads the file again if that has
// changed, and keeps the content it had if it cannot.
func (k *Keyset) latest() *loaded {
	content := k.current.Load()
	if k.path == "" || time.Since(content.checked) < reloadInterval {
		return content
	}
	return k.reload(content)
}

func (k *Keyset) reload(content *loaded) *loaded {
	next := *content
	next.checked = time.Now()
	if info, err := os.Stat(k.path); err == nil && versionOf(info) != content.version {
		if fresh, err := k.readFile(); err == nil {
			next = *fresh
		}
	}
	// If another goroutine was faster, its content is as new.
	k.current.CompareAndSwap(content, &next)
	return k.current.Load()
}

// WaitForReaders waits until no server stores data that it has sealed with an
// older content of the keyset file. That is twelve seconds after the last change.
// It fails only if ctx ends first.
func (k *Keyset) WaitForReaders(ctx context.Context) error {
	if k.path == "" {
		return nil
	}
	left := min(time.Until(k.newest().version.modified.Add(readerTime)), readerTime)
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running servers: %w", ctx.Err())
	}
}

// newest reads the file and returns its content.
func (k *Keyset) newest() *loaded { return k.reload(k.current.Load()) }

// open decrypts. It reads the file first if it does not know the key, which
// another process may just have added.
func (k *Keyset) open(sealed, associatedData []byte) ([]byte, error) {
	content := k.latest()
	if id, ok := KeyOf(sealed); ok && k.path != "" && !content.has(id) {
		content = k.reload(content)
	}
	text, err := content.aead.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, ErrDamaged // the cause says nothing more
	}
	return text, nil
}

func (k *Keyset) seal(text, associatedData []byte) ([]byte, error) {
	return k.latest().aead.Encrypt(text, associatedData)
}

func (k *Keyset) readFile() (*loaded, error) {
	info, err := os.Stat(k.path)
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	if loose := info.Mode().Perm() &^ keysetMode; loose != 0 {
		return nil, fmt.Errorf("read keyset: %s has mode %04o, others can read it: chmod 600", k.path, info.Mode().Perm())
	}
	content, err := os.ReadFile(k.path)
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	parsed, err := parse(content)
	if err != nil {
		return nil, err
	}
	parsed.version = versionOf(info)
	return parsed, nil
}

func versionOf(info fs.FileInfo) fileVersion {
	return fileVersion{modified: info.ModTime(), size: info.Size()}
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
	return &loaded{handle: handle, aead: primitive, keys: keysOf(handle), checked: time.Now()}, nil
}

func marshal(handle *keyset.Handle) ([]byte, error) {
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}
