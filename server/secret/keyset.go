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
)

// reloadInterval is how long a change of the keyset file may go unnoticed.
const reloadInterval = 2 * time.Second

// settleTime is how long after a change of the file a server may still store
// what it has sealed with the content before: until it has noticed, and the
// calls that run then have ended.
const settleTime = reloadInterval + 10*time.Second

// A Keyset seals and opens what the database must not hold in the clear. It is
// a Tink keyset of AEAD keys: every ciphertext names the key that sealed it.
//
// A keyset from a file follows the file: a key that is added to it is used
// within two seconds. A Keyset is safe for concurrent use. It prints as
// "[redacted]".
type Keyset struct {
	path    string // empty: not from a file
	current atomic.Pointer[loaded]
}

// loaded is the content of a keyset at one time.
type loaded struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	keys    []Key
	version fileVersion
	checked time.Time
}

// fileVersion changes when the file does: it is replaced, never written to.
type fileVersion struct {
	modified time.Time
	size     int64
}

// ReadKeyset loads the keyset file at path. The error wraps [fs.ErrNotExist] if
// there is none; it is also an error if others than the owner may read it.
func ReadKeyset(path string) (*Keyset, error) {
	k := &Keyset{path: path}
	content, err := k.readFile()
	if err != nil {
		return nil, err
	}
	k.current.Store(content)
	return k, nil
}

// ParseKeyset reads a Tink keyset in JSON, as a keyset file holds it. Errors
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

// CreateKeyset makes a keyset of one AES-256-GCM key in a new file that only
// its owner can read, and returns once it is on disk. The error wraps
// [fs.ErrExist] if the file is there already: a keyset is never overwritten.
func CreateKeyset(path string) (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	content, err := marshal(handle)
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	if err := createDurably(path, content); err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	return ReadKeyset(path)
}

// Format writes "[redacted]" whatever the verb and flags.
func (*Keyset) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// latest is the content of the keyset, read anew if the file has changed. A
// file that cannot be read leaves the content that was.
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
	// If another goroutine was faster, what it has read is as new.
	k.current.CompareAndSwap(content, &next)
	return k.current.Load()
}

// Settle waits until nobody stores what was sealed with an older content of the
// keyset file, which is twelve seconds after its last change. It returns an
// error only if ctx ends first.
func (k *Keyset) Settle(ctx context.Context) error {
	if k.path == "" {
		return nil
	}
	left := min(time.Until(k.newest().version.modified.Add(settleTime)), settleTime)
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running servers: %w", ctx.Err())
	}
}

// newest is the content of the keyset as it is in the file now.
func (k *Keyset) newest() *loaded { return k.reload(k.current.Load()) }

// open decrypts. A key that is not known yet may have been added to the file a
// moment ago.
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
