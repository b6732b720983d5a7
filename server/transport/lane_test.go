package transport_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/abuse"
	"clientsd/server/transport"
)

const patience = 4 * time.Second

// newStack returns a Stack with this many places for calls.
func newStack(calls int) *transport.Stack {
	return transport.NewStack(transport.Config{
		Timeout: patience, MaxInFlight: calls, Failures: abuse.New(1, time.Now, slog.New(slog.DiscardHandler)),
	})
}

// twoPublicPlaces is the bound of calls that leaves two places for a public handler.
const twoPublicPlaces = 512

// A worker is a handler that works until it may end.
type worker struct {
	working chan struct{}
	end     chan struct{}
}

func newWorker() worker { return worker{make(chan struct{}, 100), make(chan struct{})} }

func (h worker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.working <- struct{}{}
	<-h.end
	_, _ = w.Write([]byte("done"))
}

// statuses collects the answers to requests.
type statuses chan int

// send makes requests that end with the bubble of the test.
func (s statuses) send(handler http.Handler, requests int, body func() io.Reader) {
	for range requests {
		go func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", body()))
			s <- w.Code
		}()
	}
}

func (s statuses) counts() map[int]int {
	counts := map[int]int{}
	for len(s) > 0 {
		counts[<-s]++
	}
	return counts
}

func short() io.Reader { return strings.NewReader("{}") }

func TestPublic_FewWorkAndTheOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, answers := newWorker(), make(statuses, 100)
		answers.send(newStack(twoPublicPlaces).Public(h), 5, short)
		synctest.Wait()
		if len(h.working) != 2 || len(answers) != 0 {
			t.Errorf("%d work and %d are answered, want 2 and 0", len(h.working), len(answers))
		}
		h.end <- struct{}{}
		synctest.Wait()
		if len(h.working) != 3 {
			t.Errorf("after one has ended, %d have worked, want 3", len(h.working))
		}
		time.Sleep(patience)
		synctest.Wait()
		close(h.end)
		synctest.Wait()
		if diff := cmp.Diff(map[int]int{http.StatusOK: 3, http.StatusServiceUnavailable: 2}, answers.counts()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestPublic_OneHandlerDoesNotWaitForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack, answers := newStack(twoPublicPlaces), make(statuses, 100)
		busy, other, calls := newWorker(), newWorker(), newWorker()
		answers.send(stack.Public(busy), 5, short)
		answers.send(stack.Public(other), 1, short)
		answers.send(stack.REST(calls, http.NotFound), 1, short)
		synctest.Wait()
		if len(other.working) != 1 || len(calls.working) != 1 {
			t.Errorf("%d of another handler and %d calls work, want 1 and 1", len(other.working), len(calls.working))
		}
		for _, h := range []worker{busy, other, calls} {
			close(h.end)
		}
		synctest.Wait()
	})
}

// A stalled body gives nothing until it is closed.
func TestREST_PlaceOnlyWhileItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, answers := newWorker(), make(statuses, 100)
		handler := newStack(1).REST(h, http.NotFound)
		body, sent := io.Pipe()
		answers.send(handler, 1, func() io.Reader { return body })
		synctest.Wait()
		answers.send(handler, 1, short) // while the first waits for its body
		synctest.Wait()
		if len(h.working) != 1 {
			t.Fatalf("%d work, want 1", len(h.working))
		}
		_ = sent.Close() // and the first finds no place
		synctest.Wait()
		close(h.end)
		synctest.Wait()
		if diff := cmp.Diff(map[int]int{http.StatusOK: 1, http.StatusServiceUnavailable: 1}, answers.counts()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// unread is a writer whose reader reads nothing until it may.
type unread struct {
	*httptest.ResponseRecorder

	read chan struct{}
}

func (u unread) Write(p []byte) (int, error) {
	<-u.read
	return u.ResponseRecorder.Write(p)
}

func TestREST_NoPlaceWhileItsAnswerIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, answers := newWorker(), make(statuses, 100)
		handler := newStack(1).REST(h, http.NotFound)
		close(h.end)
		slow := unread{httptest.NewRecorder(), make(chan struct{})}
		go handler.ServeHTTP(slow, httptest.NewRequest(http.MethodPost, "/", short()))
		synctest.Wait()
		answers.send(handler, 1, short)
		synctest.Wait()
		if diff := cmp.Diff(map[int]int{http.StatusOK: 1}, answers.counts()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		close(slow.read)
	})
}

func TestDrain_WaitsForCallsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack, answers := newStack(10), make(statuses, 100)
		calls, public := newWorker(), newWorker()
		handler := stack.REST(calls, http.NotFound)
		answers.send(handler, 1, short)
		answers.send(stack.Public(public), 1, short)
		synctest.Wait()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			stack.Drain(t.Context())
		}()
		synctest.Wait()
		answers.send(handler, 1, short)
		synctest.Wait()
		if diff := cmp.Diff(map[int]int{http.StatusNotFound: 1}, answers.counts()); diff != "" {
			t.Errorf("a call that comes while it drains (-want +got):\n%s", diff)
		}
		select {
		case <-drained:
			t.Error("drained while a call works")
		default:
		}
		close(calls.end)
		<-drained
		close(public.end)
		synctest.Wait()
	})
}
