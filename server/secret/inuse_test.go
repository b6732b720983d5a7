package secret_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/secret"
)

// A ledger stands for the database that a keyset is bound to.
type ledger struct {
	mu      sync.Mutex
	ids     []uint32
	records int
	err     error
}

func (l *ledger) use() secret.KeysInUse {
	return secret.KeysInUse{
		Record: func(_ context.Context, id uint32) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.records++
			if l.err == nil && !slices.Contains(l.ids, id) {
				l.ids = append(l.ids, id)
			}
			return l.err
		},
		List: func(context.Context) ([]uint32, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Clone(l.ids), l.err
		},
	}
}

// bound returns a keyset with the ledger that it is bound to.
func bound(t *testing.T) (*secret.Keyset, string, *ledger) {
	t.Helper()
	k, path := keysetFile(t)
	l := &ledger{}
	k.Bind(l.use())
	return k, path, l
}

// later makes the keyset look at its file again.
func later(k *secret.Keyset) { k.Age(time.Minute) }

func TestSealer_KeyIsRecordedFirst(t *testing.T) {
	k, _, l := bound(t)
	l.err = errors.New("the database is away")
	if _, err := k.Sealer(t.Context()); !errors.Is(err, l.err) || err.Error() != "get sealing key: the database is away" {
		t.Errorf("got error %v", err)
	}
	l.err = nil
	first := sealer(t, k).KeyID()
	if diff := cmp.Diff([]uint32{first}, l.ids); diff != "" || first != k.Primary() {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	before := l.records
	for range 3 {
		sealer(t, k)
	}
	if l.records != before {
		t.Errorf("each use records: %d times", l.records-before)
	}
	second := rotateKeyset(t, k)
	if got := sealer(t, k).KeyID(); got != second.ID {
		t.Errorf("seals with key %d, want %d", got, second.ID)
	}
	if diff := cmp.Diff([]uint32{first, second.ID}, l.ids); diff != "" {
		t.Errorf("recorded after a rotation (-want +got):\n%s", diff)
	}
}

// The record of a key may be removed while a server still seals with it.
func TestSealer_KeyIsRecordedAgain(t *testing.T) {
	k, _, l := bound(t)
	sealer(t, k)
	l.ids = nil
	later(k)
	if sealer(t, k); len(l.ids) != 1 {
		t.Errorf("recorded %v", l.ids)
	}
}

func TestSealer_ConcurrentFirstUses(t *testing.T) {
	k, _, l := bound(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			used, err := k.Sealer(t.Context())
			if err != nil {
				t.Error(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if !slices.Contains(l.ids, used.KeyID()) {
				t.Error("a key is used that is not recorded")
			}
		})
	}
	group.Wait()
}

// An older copy of the file is put back while a server runs.
func TestKeyset_OlderCopyIsNotTakenOver(t *testing.T) {
	k, path, _ := bound(t)
	older := readFile(t, path)
	first := k.Primary()
	second := rotateKeyset(t, k)
	sealed := sealCheck(t, k) // which puts the second key to use
	overwriteFile(t, path, older)
	later(k)
	if got := sealer(t, k).KeyID(); got != second.ID {
		t.Errorf("seals with key %d, want %d", got, second.ID)
	}
	if err := k.OpenCheck(sealed); err != nil {
		t.Error(err)
	}
	var state *secret.StateError
	want := "the keyset file is not used, and what was loaded before stays: " + path + " is an older copy: it lacks keys that are in use"
	if err := k.Check(t.Context()); !errors.As(err, &state) || err.Error() != want || len(state.Missing) != 0 {
		t.Errorf("got error %v\nwant %s", err, want)
	}
	if got := len(k.Keys()); got != 2 || k.Primary() == first {
		t.Errorf("got %d keys, primary %d", got, k.Primary())
	}
}

// A key that seals nothing may go: so does each key that is pruned.
func TestKeyset_KeyThatIsNotInUseIsDropped(t *testing.T) {
	k, path, l := bound(t)
	older := readFile(t, path)
	first := k.Primary()
	rotateKeyset(t, k)
	l.ids = []uint32{first}
	overwriteFile(t, path, older)
	later(k)
	if got := sealer(t, k).KeyID(); got != first {
		t.Errorf("seals with key %d, want %d", got, first)
	}
	if err := k.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeyset_DatabaseAwayWhileKeysAreDropped(t *testing.T) {
	k, path, l := bound(t)
	older := readFile(t, path)
	second := rotateKeyset(t, k)
	sealer(t, k)
	overwriteFile(t, path, older)
	later(k)
	l.err = errors.New("the database is away")
	if _, err := k.Sealer(t.Context()); !errors.Is(err, l.err) {
		t.Errorf("got error %v", err)
	}
	if err := k.Check(t.Context()); !errors.Is(err, l.err) {
		t.Errorf("got error %v", err)
	}
	l.err = nil
	if got := sealer(t, k).KeyID(); got != second.ID {
		t.Errorf("seals with key %d, want %d", got, second.ID)
	}
}

func TestCheck_KeyInUseIsMissing(t *testing.T) {
	k, path, l := bound(t)
	if err := k.Check(t.Context()); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	other := readAgain(t, path)
	added := rotateKeyset(t, other)
	newer := readFile(t, path)
	l.ids = []uint32{k.Primary(), added.ID}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for what, put := range map[string]func(){
		"no file":             func() {},
		"a file without mode": func() { overwriteFile(t, path, newer); chmod(t, path, 0o644) },
	} {
		put()
		var state *secret.StateError
		err := k.Check(t.Context())
		want := fmt.Sprintf("put the newest copy of the keyset in its place; missing: %d; the keyset file is not used, and what was loaded before stays: read keyset: ", added.ID)
		if !errors.As(err, &state) || !slices.Equal(state.Missing, []uint32{added.ID}) || state.File == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v\nwant %s", what, err, want)
		}
	}
	overwriteFile(t, path, newer)
	chmod(t, path, 0o600)
	if err := k.Check(t.Context()); err != nil {
		t.Errorf("with the newest file: %v", err)
	}
}

func TestWaitForReaders_FileCannotBeRead(t *testing.T) {
	k, path := keysetFile(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := k.WaitForReaders(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}

// Six that rotate concurrently, as six processes: each key that Rotate returned is in
// the file.
func TestRotate_Concurrently(t *testing.T) {
	const callers, rounds = 6, 3
	first, path := keysetFile(t)
	want := []uint32{first.Primary()}
	for range rounds {
		var mu sync.Mutex
		var group sync.WaitGroup
		for range callers {
			k := readAgain(t, path)
			group.Go(func() {
				key, err := k.Rotate()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				want = append(want, key.ID)
			})
		}
		group.Wait()
	}
	var got []uint32
	for _, key := range readAgain(t, path).Keys() {
		got = append(got, key.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func overwriteFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestReload_LogsTheOutcome(t *testing.T) {
	k, path, _ := bound(t)
	var logs strings.Builder
	log := slog.New(slog.NewTextHandler(&logs, nil))
	added := rotateKeyset(t, readAgain(t, path))
	k.Reload(t.Context(), log)
	want := fmt.Sprintf("level=INFO msg=\"the keyset was read again\" file=%s keys=2 primary=%d\n", path, added.ID)
	if !strings.HasSuffix(logs.String(), want) {
		t.Errorf("got %s, want %s", &logs, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	logs.Reset()
	k.Reload(t.Context(), log)
	if got := logs.String(); !strings.Contains(got, `level=ERROR msg="the keyset needs an operator" error="the keyset file is not used`) {
		t.Errorf("got %s", got)
	}
}
