package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clientsd/server/batch"
	"clientsd/server/tx"
)

var errOwn = errors.New("a failure of its own")

// A gate is a batcher whose first commit waits until it is opened: what comes
// meanwhile waits to share the next.
type gate struct {
	*batch.Batcher[int]

	began, open chan struct{}
	running     sync.WaitGroup
}

// closed starts the first commit, of item 0. The others are those of commit, which
// gets their items in order.
func closed(t *testing.T, commit func(calls []*batch.Call[int]) error) *gate {
	t.Helper()
	g := &gate{began: make(chan struct{}), open: make(chan struct{})}
	var first atomic.Bool
	g.Batcher = &batch.Batcher[int]{MaxConcurrent: 1, Commit: func(_ context.Context, take batch.Take[int]) error {
		calls := take.All()
		if first.CompareAndSwap(false, true) {
			close(g.began)
			<-g.open
			return nil
		}
		return commit(calls)
	}}
	g.call(t.Context(), 0, func(err error) {
		if err != nil {
			t.Errorf("the first: got error %v", err)
		}
	})
	<-g.began
	return g
}

// call runs an item once those that were called before wait.
func (g *gate) call(ctx context.Context, item int, answered func(error)) {
	g.running.Go(func() { answered(g.Do(ctx, item)) })
	time.Sleep(2 * time.Millisecond) // too short a pause makes a test weaker, and never fails it
}

func (g *gate) release() {
	close(g.open)
	g.running.Wait()
}

func itemsOf(calls []*batch.Call[int]) []int {
	items := make([]int, len(calls))
	for i, call := range calls {
		items[i] = call.Item
	}
	return items
}

func want(t *testing.T, name string, want error) func(error) {
	t.Helper()
	return func(err error) {
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: got error %v, want %v", name, err, want)
		}
	}
}

func TestDo_WaitingCallsShareACommit(t *testing.T) {
	var commits [][]int
	g := closed(t, func(calls []*batch.Call[int]) error {
		commits = append(commits, itemsOf(calls))
		return nil
	})
	for item := 1; item <= 8; item++ {
		g.call(t.Context(), item, want(t, strconv.Itoa(item), nil))
	}
	g.release()
	if got, want := fmt.Sprint(commits), "[[1 2 3 4 5 6 7 8]]"; got != want {
		t.Errorf("got commits %s, want %s", got, want)
	}
}

func TestDo_OneFailureReachesItsCallerOnly(t *testing.T) {
	g := closed(t, func(calls []*batch.Call[int]) error {
		calls[1].Err = errOwn
		return nil
	})
	for item, err := range []error{nil, errOwn, nil, nil} {
		g.call(t.Context(), item, want(t, strconv.Itoa(item), err))
	}
	g.release()
}

func TestDo_CommitFails(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func() error
		want error
	}{
		"rolled back, all run solo":       {func() error { return errOwn }, batch.ErrRunSolo},
		"outcome unknown, nobody may":     {func() error { return fmt.Errorf("%w: %w", tx.ErrOutcomeUnknown, errOwn) }, tx.ErrOutcomeUnknown},
		"outcome unknown, with its cause": {func() error { return fmt.Errorf("%w: %w", tx.ErrOutcomeUnknown, errOwn) }, errOwn},
	} {
		t.Run(name, func(t *testing.T) {
			g := closed(t, func(calls []*batch.Call[int]) error {
				calls[0].Err = errors.New("of a transaction that was rolled back")
				return tt.fail()
			})
			for item := range 3 {
				g.call(t.Context(), item, want(t, strconv.Itoa(item), tt.want))
			}
			g.release()
		})
	}
}

func TestDo_CommitPanics(t *testing.T) {
	panicked := false
	g := closed(t, func([]*batch.Call[int]) error {
		if !panicked {
			panicked = true
			panic("on purpose")
		}
		return nil
	})
	for item := range 3 {
		g.call(t.Context(), item, func(err error) {
			if err == nil || !strings.Contains(err.Error(), "on purpose") || errors.Is(err, batch.ErrRunSolo) {
				t.Errorf("%d: got error %v", item, err)
			}
		})
	}
	g.release()
	if err := g.Do(t.Context(), 4); err != nil {
		t.Errorf("after the panic: got error %v", err)
	}
}

func TestDo_CommitDoesNotBegin(t *testing.T) {
	var begins atomic.Int32
	open := make(chan struct{})
	b := &batch.Batcher[int]{MaxConcurrent: 1, Commit: func(_ context.Context, take batch.Take[int]) error {
		if begins.Add(1) == 1 {
			<-open
			return errOwn
		}
		take.All()
		return nil
	}}
	var running sync.WaitGroup
	for item, err := range []error{errOwn, nil, nil} {
		running.Go(func() { want(t, strconv.Itoa(item), err)(b.Do(t.Context(), item)) })
		time.Sleep(2 * time.Millisecond)
	}
	close(open)
	running.Wait()
	if got := begins.Load(); got != 2 {
		t.Errorf("began %d commits, want 2", got)
	}
}

func TestDo_CallerCanceled(t *testing.T) {
	t.Run("before the call", func(t *testing.T) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		b := &batch.Batcher[int]{MaxConcurrent: 1, Commit: func(context.Context, batch.Take[int]) error {
			t.Error("the item was run")
			return nil
		}}
		if err := b.Do(gone, 1); !errors.Is(err, context.Canceled) || err.Error() != "begin: context canceled" {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("while the item waits", func(t *testing.T) {
		g := closed(t, func(calls []*batch.Call[int]) error {
			if got := itemsOf(calls); !slices.Equal(got, []int{2}) {
				t.Errorf("got items %v, want 2 only", got)
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error, 1)
		g.call(ctx, 1, func(err error) { answered <- err })
		g.call(t.Context(), 2, want(t, "the other", nil))
		cancel()
		if err := <-answered; !errors.Is(err, context.Canceled) || err.Error() != "begin: context canceled" {
			t.Errorf("got error %v", err)
		}
		g.release()
	})
	t.Run("during the commit", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &batch.Batcher[int]{MaxConcurrent: 1, Commit: func(inside context.Context, take batch.Take[int]) error {
			take.All()
			cancel()
			time.Sleep(2 * time.Millisecond) // for the caller to see it
			return inside.Err()
		}}
		if err := b.Do(ctx, 1); err != nil {
			t.Errorf("the commit took place: got error %v", err)
		}
	})
}

func TestTake_LeavesWhatIsNotAccepted(t *testing.T) {
	var mu sync.Mutex
	var commits [][]int
	begun, open := make(chan struct{}), make(chan struct{})
	b := &batch.Batcher[int]{MaxConcurrent: 1, Commit: func(_ context.Context, take batch.Take[int]) error {
		taken := map[int]bool{}
		calls := take(func(item int) bool { // one of each remainder
			known := taken[item%2]
			taken[item%2] = true
			return !known
		})
		mu.Lock()
		commits = append(commits, itemsOf(calls))
		first := len(commits) == 1
		mu.Unlock()
		if first {
			close(begun)
			<-open
		}
		return nil
	}}
	var running sync.WaitGroup
	for item := range 5 {
		running.Go(func() { want(t, strconv.Itoa(item), nil)(b.Do(t.Context(), item)) })
		if item == 0 {
			<-begun
		}
		time.Sleep(2 * time.Millisecond)
	}
	close(open)
	running.Wait()
	if got, want := fmt.Sprint(commits), "[[0] [1 2] [3 4]]"; got != want {
		t.Errorf("got commits %s, want %s", got, want)
	}
}

func TestDo_ACommitIsBounded(t *testing.T) {
	var sizes []int
	g := closed(t, func(calls []*batch.Call[int]) error {
		sizes = append(sizes, len(calls))
		return nil
	})
	for item := range 70 {
		g.running.Go(func() { want(t, strconv.Itoa(item), nil)(g.Do(t.Context(), item)) })
	}
	time.Sleep(10 * time.Millisecond)
	g.release()
	if slices.Max(sizes) > 64 || len(sizes) < 2 {
		t.Errorf("got commits of %v calls", sizes)
	}
}

// A commit on a dead connection must not hold up everybody.
func TestDo_ACrowdStartsAnotherCommit(t *testing.T) {
	for name, tt := range map[string]struct {
		maxConcurrent, waiting int
		starts                 bool
	}{
		"a few wait for the commit":             {2, 15, false},
		"a crowd does not":                      {2, 16, true},
		"a crowd waits if one is all there are": {1, 16, false},
	} {
		t.Run(name, func(t *testing.T) {
			open := make(chan struct{})
			var commits, ended atomic.Int32
			b := &batch.Batcher[int]{MaxConcurrent: tt.maxConcurrent, Commit: func(_ context.Context, take batch.Take[int]) error {
				take.All()
				if commits.Add(1) == 1 {
					<-open
				}
				return nil
			}}
			var running sync.WaitGroup
			for item := range 1 + tt.waiting {
				running.Go(func() {
					want(t, strconv.Itoa(item), nil)(b.Do(t.Context(), item))
					ended.Add(1)
				})
				for item == 0 && commits.Load() == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			for deadline := time.Now().Add(10 * time.Second); tt.starts && int(ended.Load()) < tt.waiting && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(5 * time.Millisecond)
			if got := commits.Load() > 1; got != tt.starts {
				t.Errorf("another commit was started: %v, want %v", got, tt.starts)
			}
			close(open)
			running.Wait()
		})
	}
}
