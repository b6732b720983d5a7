package logo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/logo"
)

// queue starts a call for each organisation, in this order. Each call takes a
// second once it has its turn, and then sends its organisation to served.
func queue(ctx context.Context, t *testing.T, turns *logo.Turns, served chan<- string, organisations ...string) {
	t.Helper()
	for _, organisation := range organisations {
		go func() {
			end, err := turns.Take(ctx, organisation)
			if err != nil {
				return
			}
			defer end()
			time.Sleep(time.Second)
			served <- organisation
		}()
		synctest.Wait()
	}
}

// sent returns what was sent to a channel.
func sent(from chan string) (all []string) {
	for len(from) > 0 {
		all = append(all, <-from)
	}
	return all
}

func TestTurns_OneWithManyCallsDoesNotDelayAnother(t *testing.T) {
	for name, tt := range map[string]struct{ calls, want []string }{
		"one organisation": {
			[]string{"a", "a", "a"},
			[]string{"a", "a", "a"},
		},
		"a call that comes after many of another": {
			[]string{"a", "a", "a", "a", "b"},
			[]string{"a", "b", "a", "a", "a"},
		},
		"two with many, and a third": {
			[]string{"a", "a", "a", "b", "b", "b", "c"},
			[]string{"a", "b", "c", "a", "b", "a", "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var turns logo.Turns
				served := make(chan string, 10)
				queue(t.Context(), t, &turns, served, tt.calls...)
				time.Sleep(time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, sent(served)); diff != "" {
					t.Errorf("served (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTurns_OneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns logo.Turns
		served := make(chan string, 10)
		queue(t.Context(), t, &turns, served, "a", "b", "a")
		for done := range 4 {
			if len(served) != done {
				t.Errorf("after %d seconds %d calls are done", done, len(served))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
}

func TestTurns_CallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns logo.Turns
		served := make(chan string, 10)
		queue(t.Context(), t, &turns, served, "a")
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		queue(t.Context(), t, &turns, served, "b")
		if _, err := turns.Take(impatient, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if _, err := turns.Take(impatient, "c"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		queue(t.Context(), t, &turns, served, "b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b", "b"}, sent(served)); diff != "" {
			t.Errorf("served (-want +got):\n%s", diff)
		}
	})
}

// TestTurns_TurnBeginsAsTheCallerGivesUp takes a free turn with a context that
// has ended: whichever is noticed first, the next call is served.
func TestTurns_TurnBeginsAsTheCallerGivesUp(t *testing.T) {
	var turns logo.Turns
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if end, err := turns.Take(ended, "a"); err == nil {
			end()
		}
	}
	end, err := turns.Take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	end()
}
