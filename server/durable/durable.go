// Package durable gives a file its name only when all of it is on disk, so that
// a crash leaves the whole file or none.
//
// It owns the order of the steps: write the file in a scratch folder next to the
// target, flush the file, give it its name, flush the folder.
//
// It must not know what the files hold, and imports nothing of clientsd.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNotFlushed reports that a file has its name, but that the name may be lost
// if the machine fails now.
var ErrNotFlushed = errors.New("the folder could not be flushed")

// Create makes the new file path. It calls write with another path, where write
// must leave the file, closed. Create never replaces a file: the error wraps
// [io/fs.ErrExist] if path exists. After any error but ErrNotFlushed nothing is
// left.
func Create(path string, write func(scratch string) error) error {
	return publish(path, write, os.Link) // not Rename, which replaces
}

// Replace puts a file in the place of path, if there is one. Whoever opens path
// gets the old file or the new one, never half of either. The rest is as with
// Create.
func Replace(path string, write func(scratch string) error) error {
	return publish(path, write, os.Rename)
}

func publish(path string, write func(scratch string) error, name func(from, to string) error) error {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".new-") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a file without its name has no effect
	scratch := filepath.Join(folder, filepath.Base(path))
	if err := write(scratch); err != nil {
		return err
	}
	if err := flush(scratch); err != nil {
		return err
	}
	if err := name(scratch, path); err != nil {
		return err
	}
	if err := flush(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFlushed, err)
	}
	return nil
}

// flush writes a file, or the names in a folder, to disk.
func flush(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
