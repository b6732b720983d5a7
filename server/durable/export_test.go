package durable

import (
	"io/fs"
	"os"
	"testing"
)

// WatchFlushes calls seen before each file or folder that is written to disk, until
// the test ends.
func WatchFlushes(t *testing.T, seen func(path string)) {
	t.Helper()
	before := fsync
	t.Cleanup(func() { fsync = before })
	fsync = func(file *os.File) error {
		seen(file.Name())
		return before(file)
	}
}

// BelongTo makes each file that is looked at belong to somebody else, until the test
// ends.
func BelongTo(t *testing.T, uid, gid int) {
	t.Helper()
	before := idsOf
	t.Cleanup(func() { idsOf = before })
	idsOf = func(fs.FileInfo) (int, int) { return uid, gid }
}

// Fsync writes a file to disk, as this package does.
func Fsync(file *os.File) error { return fsync(file) }
