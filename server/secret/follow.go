package secret

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"clientsd/server/durable"
)

// reloadInterval is how long a server may miss a change of the keyset file.
const reloadInterval = 2 * time.Second

// A view is what a Keyset knows at one time. It is never changed.
type view struct {
	current *loaded // what seals and opens
	file    *loaded // what the file held when it was looked at; nil: it could not be read
	err     error   // why not
	version fileVersion
	at      time.Time
}

// fileVersion identifies a version of the file, which is replaced and never
// changed.
type fileVersion struct {
	modified time.Time
	size     int64
}

// isRefused reports whether the file was read but is not used: see latest.
func (v *view) isRefused() bool { return v.file != nil && v.file != v.current }

// look returns a view that is at most maxAge old. It takes over a file that has every
// key of the current content; see latest for others.
func (k *Keyset) look(maxAge time.Duration) *view {
	for now := time.Now(); ; {
		last := k.view.Load()
		if k.path == "" || now.Sub(last.at) < maxAge || last.at.After(now) {
			return last
		}
		next := k.lookAgain(last, now)
		next.current = last.current
		if next.file != nil && (k.use.List == nil || len(last.current.without(next.file)) == 0) {
			next.current = next.file
		}
		if k.view.CompareAndSwap(last, next) {
			return next
		}
	}
}

// lookAgain reads the file if it has changed since the last view.
func (k *Keyset) lookAgain(last *view, now time.Time) *view {
	info, err := os.Stat(k.path)
	if err == nil && last.err == nil && versionOf(info) == last.version {
		same := *last
		same.at = now
		return &same
	}
	return readFile(k.path, now)
}

// readFile returns a view without current content.
func readFile(path string, now time.Time) *view {
	seen := &view{at: now}
	info, err := os.Stat(path)
	if err != nil {
		seen.err = fmt.Errorf("read keyset: %w", err)
		return seen
	}
	if seen.err = checkMode(path, info); seen.err != nil {
		return seen
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		seen.err = fmt.Errorf("read keyset: %w", err)
		return seen
	}
	seen.file, seen.err = parse(text)
	seen.version = versionOf(info)
	return seen
}

// inGroup reports whether this process is in the group of a file. Tests replace it.
var inGroup = durable.InGroup //nolint:gochecknoglobals // see above

// checkMode refuses a file that others can read or write. The group may, if this
// process is in it: that is how Kubernetes lets a container read a Secret.
func checkMode(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	switch mode &^ 0o600 {
	case 0:
		return nil
	case 0o040, 0o060:
		if inGroup(info) {
			return nil
		}
		return fmt.Errorf("read keyset: %s has mode %04o, and this process is not in its group: chmod 600, or run it in that group", path, mode)
	default:
		return fmt.Errorf("read keyset: %s has mode %04o, others can read it: chmod 600", path, mode)
	}
}

func versionOf(info fs.FileInfo) fileVersion {
	return fileVersion{modified: info.ModTime(), size: info.Size()}
}

// latest returns a view whose current content is that of the file, unless the file
// cannot be read or lacks a key that is in use. The file is damaged or an older copy
// then, and the content that was loaded before stays.
func (k *Keyset) latest(ctx context.Context) (*view, error) {
	for {
		seen := k.look(reloadInterval)
		if !seen.isRefused() {
			return seen, nil
		}
		inUse, err := k.keysInUse(ctx)
		if err != nil {
			return nil, err
		}
		for _, key := range seen.current.without(seen.file) {
			if slices.Contains(inUse, key.ID) {
				return seen, nil
			}
		}
		next := *seen
		next.current = seen.file
		k.view.CompareAndSwap(seen, &next) // another goroutine may know more
	}
}
