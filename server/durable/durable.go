// Package durable gives a file its name only when all of it is on disk, so that
// a crash leaves the whole file or none.
//
// It owns the order of the steps: write the file in a scratch folder next to the
// target, give it the right owner, flush the file, give it its name, flush the
// folder. It also owns who a file belongs to ([Create], [Update]), and the lock that
// keeps two processes from changing a file at the same time.
//
// It must not know what the files hold, and imports nothing of clientsd.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// fileMode keeps a new file to its owner.
	fileMode = 0o600
	// folderMode keeps a new folder to its owner.
	folderMode = 0o700
)

var (
	// ErrNotFlushed reports that a file has its name, but that the name may be lost
	// if the machine fails now.
	ErrNotFlushed = errors.New("the folder could not be flushed")
	// ErrChanged reports that something changed a file without the lock while Update
	// ran. The file is as that has left it.
	ErrChanged = errors.New("the file was changed by something else at the same time: nothing was written, try again")
)

// fsync writes a file or a folder to disk. Tests watch it.
var fsync = (*os.File).Sync //nolint:gochecknoglobals // see above

// Create makes the new file path. It calls write with another path, where write
// must leave the file, closed. Create never replaces a file: the error wraps
// [io/fs.ErrExist] if path exists. After any error but ErrNotFlushed nothing is
// left.
//
// A file that root makes belongs to the owner of its folder. [ErrOwner] reports that
// this cannot be; write was not called then.
func Create(path string, write func(scratch string) error) error {
	owner, err := ownerForNew(filepath.Dir(path))
	if err != nil {
		return err
	}
	return publish(path, owner, write, os.Link) // not Rename, which replaces
}

// CreateFile is Create for a file whose content is known. Only the owner can read
// and write it.
func CreateFile(path string, content []byte) error { return Create(path, writer(content)) }

// Update replaces the content of the file path by what change returns for it. Of
// several that update a file concurrently, in any process, each sees the change of
// the one before. Someone who opens path gets the old file or the new one, never half
// of either. If path is a symbolic link, its target is replaced.
//
// The new file has the owner, the group and the mode of the old one.
//
// Errors: that of change; [ErrOwner]; ErrChanged. Nothing is changed then.
func Update(path string, change func(old []byte) ([]byte, error)) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	held, err := lock(path)
	if err != nil {
		return err
	}
	defer held.Close() //nolint:errcheck // it was only read; closing it unlocks
	old, err := held.Stat()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(held)
	if err != nil {
		return err
	}
	if content, err = change(content); err != nil {
		return err
	}
	return publish(path, ownerOf(old), writer(content), func(from, to string) error {
		if now, err := os.Stat(to); err != nil || !isSame(old, now) {
			return errors.Join(ErrChanged, err)
		}
		return os.Rename(from, to)
	})
}

// CheckUpdate returns the error with which Update would refuse to replace path, and
// changes nothing.
func CheckUpdate(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	folder, err := newScratch(path, ownerOf(info))
	if err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// MakeFolder makes the folder path, with the folders that lead to it, unless it is
// there. Only its owner can use it, and the owner is found as with Create.
func MakeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeFolder(parent); err != nil {
			return err
		}
	}
	owner, err := ownerForNew(parent)
	if err != nil {
		return err
	}
	if err := os.Mkdir(path, folderMode); errors.Is(err, fs.ErrExist) { // another process was faster
		return nil
	} else if err != nil {
		return err
	}
	if err := owner.finish(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return flush(parent)
}

func publish(path string, owner owner, write func(scratch string) error, name func(from, to string) error) error {
	folder, err := newScratch(path, owner)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a file without its name has no effect
	scratch := filepath.Join(folder, filepath.Base(path))
	if err := write(scratch); err != nil {
		return err
	}
	if err := owner.finish(scratch); err != nil {
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

// newScratch makes the folder in which the file path is written. It fails if a file
// there cannot get the owner.
func newScratch(path string, owner owner) (string, error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".new-") // mode 0700
	if err != nil {
		return "", err
	}
	probe := filepath.Join(folder, "probe")
	if err := os.WriteFile(probe, nil, fileMode); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	if err := errors.Join(owner.give(probe, path), os.Remove(probe)); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

func writer(content []byte) func(path string) error {
	return func(path string) error { return os.WriteFile(path, content, fileMode) }
}

// flush writes a file, or the names in a folder, to disk.
func flush(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(fsync(file), file.Close())
}
