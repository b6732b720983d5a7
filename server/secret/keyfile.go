package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// keysetMode is what a keyset file must not exceed: readable by its owner only.
const keysetMode fs.FileMode = 0o600

// createDurably gives content the name path once it is on disk: the database
// sealed by a keyset must never outlive it, and whoever finds the name finds the
// whole of it. It never replaces a keyset that is there.
func createDurably(path string, content []byte) error {
	return writeDurably(path, content, os.Link)
}

// replaceDurably puts content in the place of path at once: whoever reads the
// file reads the old or the new keyset, never half of one.
func replaceDurably(path string, content []byte) error {
	return writeDurably(path, content, os.Rename)
}

func writeDurably(path string, content []byte, name func(from, to string) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // what stays behind is a keyset nobody has used
	_, writeErr := file.Write(content)
	if err := errors.Join(writeErr, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := name(file.Name(), path); err != nil {
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
