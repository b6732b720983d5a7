package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keysetMode is what a keyset file must not exceed: readable by its owner only.
const keysetMode fs.FileMode = 0o600

// A Keyset seals and opens what the database must not hold in the clear. It is
// a Tink keyset of AEAD keys: every ciphertext names the key that sealed it.
//
// A Keyset is safe for concurrent use. It prints as "[redacted]".
type Keyset struct {
	aead tink.AEAD
}

// ReadKeyset loads the keyset file at path. The error wraps [fs.ErrNotExist] if
// there is none; it is also an error if others than the owner may read it.
func ReadKeyset(path string) (*Keyset, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	if loose := info.Mode().Perm() &^ keysetMode; loose != 0 {
		return nil, fmt.Errorf("read keyset: %s has mode %04o, others can read it: chmod 600", path, info.Mode().Perm())
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	return ParseKeyset(content)
}

// ParseKeyset reads a Tink keyset in JSON, as a keyset file holds it. Errors
// never quote the content.
func ParseKeyset(content []byte) (*Keyset, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil {
		return nil, errors.New("parse keyset: not a Tink keyset in JSON")
	}
	return newKeyset(handle)
}

// CreateKeyset makes a keyset of one AES-256-GCM key in a new file that only
// its owner can read, and returns once it is on disk. The error wraps
// [fs.ErrExist] if the file is there already: a keyset is never overwritten.
func CreateKeyset(path string) (*Keyset, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	if err := writeDurably(path, content.Bytes()); err != nil {
		return nil, fmt.Errorf("create keyset: %w", err)
	}
	return newKeyset(handle)
}

// Format writes "[redacted]" whatever the verb and flags.
func (*Keyset) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

func newKeyset(handle *keyset.Handle) (*Keyset, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("parse keyset: its keys are not AEAD keys")
	}
	return &Keyset{aead: primitive}, nil
}

// writeDurably gives content the name path once it is on disk, and flushes the
// folder too: the database sealed by a keyset must never outlive it, and
// whoever finds the name finds the whole of it.
func writeDurably(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // what stays behind is a keyset nobody has used
	_, writeErr := file.Write(content)
	if err := errors.Join(writeErr, file.Sync(), file.Close()); err != nil {
		return err
	}
	// Link, not rename: it never replaces a keyset that is there.
	if err := os.Link(file.Name(), path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder flushes a folder, so that the names of the files in it are on disk.
func SyncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
