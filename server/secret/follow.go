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

// A sighting is what the keyset file was when it was looked at.
type sighting struct {
	content *loaded // nil: it could not be read
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

// take makes a sighting the content of the keyset.
func (k *Keyset) take(seen *sighting) {
	k.current.Store(seen.content)
	k.seen.Store(seen)
}

// look returns what the file was at most maxAge ago. It takes over a content that
// has every key of the current one; see latest for others.
func (k *Keyset) look(maxAge time.Duration) *sighting {
	for now := time.Now(); ; {
		last := k.seen.Load()
		if k.path == "" || now.Sub(last.at) < maxAge || last.at.After(now) {
			return last
		}
		next := k.lookAgain(last, now)
		if !k.seen.CompareAndSwap(last, next) {
			continue // another goroutine was faster
		}
		current := k.current.Load()
		if next.content != nil && (k.use.List == nil || len(current.without(next.content)) == 0) {
			k.current.CompareAndSwap(current, next.content)
		}
		return next
	}
}

// lookAgain reads the file if it has changed since the last sighting.
func (k *Keyset) lookAgain(last *sighting, now time.Time) *sighting {
	info, err := os.Stat(k.path)
	if err == nil && last.err == nil && versionOf(info) == last.version {
		same := *last
		same.at = now
		return &same
	}
	return readFile(k.path, now)
}

func readFile(path string, now time.Time) *sighting {
	seen := &sighting{at: now}
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
	seen.content, seen.err = parse(text)
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

// latest returns the content to seal with: that of the file, unless the file cannot
// be read or lacks a key that is in use. The file is an older copy then, or a damaged
// one, and the content that was loaded before stays.
func (k *Keyset) latest(ctx context.Context) (*loaded, error) {
	seen, current := k.look(reloadInterval), k.current.Load()
	if seen.content == nil || seen.content == current {
		return current, nil
	}
	inUse, err := k.keysInUse(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range current.without(seen.content) {
		if slices.Contains(inUse, key.ID) {
			return current, nil
		}
	}
	k.current.CompareAndSwap(current, seen.content)
	return k.current.Load(), nil
}
