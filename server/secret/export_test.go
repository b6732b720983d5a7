package secret

import (
	"io/fs"
	"testing"
	"time"
)

// NotInGroup makes this process a member of no file's group until the test ends.
func NotInGroup(t *testing.T) {
	t.Helper()
	before := inGroup
	t.Cleanup(func() { inGroup = before })
	inGroup = func(fs.FileInfo) bool { return false }
}

// Age makes it so long ago that k has looked at its file and recorded its key.
func (k *Keyset) Age(by time.Duration) {
	seen := *k.view.Load()
	seen.at = seen.at.Add(-by)
	k.view.Store(&seen)
	if last := k.recorded.Load(); last != nil {
		k.recorded.Store(&recording{last.id, last.at.Add(-by)})
	}
}
