package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lock opens the file path and waits until no other process holds its lock. Closing
// the file unlocks it. The lock is on the file itself, which needs no second file and
// leaves nothing behind; the kernel takes it back from a process that ends.
func lock(path string) (*os.File, error) {
	for {
		file, err := openToLock(path)
		if err != nil {
			return nil, err
		}
		if err := flock(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		held, heldErr := file.Stat()
		now, nowErr := os.Stat(path)
		if err := errors.Join(heldErr, nowErr); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if os.SameFile(held, now) {
			return file, nil
		}
		// Another process has replaced the file while this one waited.
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

// openToLock opens a file to write if it may: NFS locks no other files.
func openToLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return os.Open(path) //nolint:gosec // as above
	}
	return file, err
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}

// isSame reports whether two looks at a path found the same file, unchanged.
func isSame(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
