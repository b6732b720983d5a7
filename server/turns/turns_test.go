package turns_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/turns"
)

// queue starts a call for each organisation, in this order. Each call takes a
// second once it has its turn, and then sends its organisation to served.
func queue(ctx context.Context, t *testing.T, places *turns.Queue, served chan<- string, organisations ...string) {
	t.Helper()
	for _, organisation := range organisations {
		go func() {
			end, err := places.Take(ctx, organisation)
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

func TestQueue_OneWithManyCallsDoesNotDelayAnother(t *testing.T) {
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
				places := turns.New(1)
				served := make(chan string, 10)
				queue(t.Context(), t, places, served, tt.calls...)
				time.Sleep(time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, sent(served)); diff != "" {
					t.Errorf("served (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestQueue_OneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := turns.New(1)
		served := make(chan string, 10)
		queue(t.Context(), t, places, served, "a", "b", "a")
		for done := range 4 {
			if len(served) != done {
				t.Errorf("after %d seconds %d calls are done", done, len(served))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
}

func TestQueue_CallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := turns.New(1)
		served := make(chan string, 10)
		queue(t.Context(), t, places, served, "a")
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		queue(t.Context(), t, places, served, "b")
		if _, err := places.Take(impatient, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if _, err := places.Take(impatient, "c"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		queue(t.Context(), t, places, served, "b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b", "b"}, sent(served)); diff != "" {
			t.Errorf("served (-want +got):\n%s", diff)
		}
	})
}

// TestQueue_TurnBeginsAsTheCallerGivesUp takes a free turn with a context that
// has ended: whichever is noticed first, the next call is served.
func TestQueue_TurnBeginsAsTheCallerGivesUp(t *testing.T) {
	places := turns.New(1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if end, err := places.Take(ended, "a"); err == nil {
			end()
		}
	}
	end, err := places.Take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	end()
}

// However many calls an organisation has, and however long they take, as many places
// stay free as it has.
func TestQueue_SomePlacesStayFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := turns.New(8)
		take := func(organisation string) (end func(), err error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return places.Take(ctx, organisation)
		}
		taken := map[string]int{}
		var ends []func()
		for _, organisation := range []string{"a", "b", "c", "d", "e"} {
			for range 8 {
				if end, err := take(organisation); err == nil {
					taken[organisation]++
					ends = append(ends, end)
				}
			}
		}
		if diff := cmp.Diff(map[string]int{"a": 4, "b": 2, "c": 1, "d": 1}, taken); diff != "" {
			t.Errorf("places (-want +got):\n%s", diff)
		}
		ends[0]()
		if _, err := take("a"); err == nil {
			t.Error("an organisation with three places has the only one that is free")
		}
		if _, err := take("e"); err != nil {
			t.Errorf("an organisation without a place: %v", err)
		}
	})
}
