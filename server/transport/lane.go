package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"clientsd/server/reqctx"
)

// A lane bounds how many requests of one kind work concurrently. A request has a
// place only while its handler works: not while it waits for the caller to send the
// body or to read the answer. So a caller who is slow, or means to be, takes nothing
// from the others.
type lane struct {
	places chan struct{}
	waits  *waits
	// patience is how long a request waits for a place. Zero: it is refused.
	patience time.Duration
	// body and answer replace the timeouts of the http.Server once the handler
	// begins to read. Zero: they stay.
	body, answer time.Duration
	// progress bounds each write to the caller. Zero: the timeouts alone do.
	progress time.Duration

	mu       sync.Mutex
	running  int
	draining bool
	idle     chan struct{} // closed when draining and none runs
}

func newLane(places int, waits *waits) *lane {
	return &lane{places: make(chan struct{}, max(1, places)), waits: waits, idle: make(chan struct{})}
}

// enter counts a request, unless the lane is draining.
func (l *lane) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining {
		return false
	}
	l.running++
	return true
}

func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.signalIdle()
}

func (l *lane) signalIdle() {
	if l.draining && l.running == 0 {
		close(l.idle)
	}
}

// drain refuses new requests and waits until those that run have finished or ctx
// ends. It is called once.
func (l *lane) drain(ctx context.Context) {
	l.mu.Lock()
	l.draining = true
	l.signalIdle()
	l.mu.Unlock()
	select {
	case <-l.idle:
	case <-ctx.Done():
	}
}

// serve runs the requests to next in a lane, and bounds what they send. refuse
// answers those that the lane has no place for.
func (s *Stack) serve(l *lane, refuse http.HandlerFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.enter() {
			setRetry(w)
			refuse(w, r)
			return
		}
		defer l.leave()
		x := &exchange{
			ResponseWriter: w,
			body:           http.MaxBytesReader(unwrapWriter(w), r.Body, s.limitFor(r.URL.Path)+envelopeSlack),
			control:        http.NewResponseController(w),
			ctx:            r.Context(),
			lane:           l,
			stack:          s,
		}
		defer x.rest()
		if r.Method == http.MethodGet || r.Method == http.MethodHead { // there is nothing to wait for
			if err := x.work(); err != nil {
				refuse(w, r)
				return
			}
		}
		r.Body = x
		next.ServeHTTP(x, r)
	})
}

// unwrapWriter returns the writer of net/http, which ends the connection of a
// caller who sends too much.
func unwrapWriter(w http.ResponseWriter) http.ResponseWriter {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return wrapper.Unwrap()
	}
	return w
}

func setRetry(w http.ResponseWriter) { w.Header().Set("Retry-After", "1") }

// An exchange is the body and the writer of a request in a lane.
type exchange struct {
	http.ResponseWriter

	body    io.ReadCloser
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // that of the request
	lane    *lane
	stack   *Stack
	reading bool // has begun
	working bool // has a place
	isCut   bool
}

// reasonCut says in the log why a request has ended.
const reasonCut = "too many requests wait for their callers: the one that waited longest was ended"

// errBody answers a body that breaks off, comes too slowly or is badly chunked.
var errBody = errors.New("the body of the request cannot be read to its end")

// Read reads the body, and takes a place to work on what it has read. It reports a
// body that cannot be read as a fault of the request. Connect would answer with the
// error of the connection, as a fault of the server.
func (x *exchange) Read(p []byte) (int, error) {
	x.rest()
	if !x.reading && x.lane.body > 0 {
		_ = x.control.SetReadDeadline(time.Now().Add(x.lane.body))
		_ = x.control.SetWriteDeadline(time.Now().Add(x.lane.answer))
	}
	x.reading = true
	wait := x.lane.waits.begin(MessageLimit, func() { _ = x.control.SetReadDeadline(passed()) })
	n, err := x.body.Read(p)
	x.end(wait)
	var tooLarge *http.MaxBytesError
	switch {
	case x.isCut:
		setRetry(x)
		return n, Busy()
	case err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &tooLarge):
		return n, connect.NewError(connect.CodeInvalidArgument, errBody)
	}
	if busy := x.work(); busy != nil {
		return 0, busy
	}
	return n, err
}

// Close closes the body.
func (x *exchange) Close() error { return x.body.Close() }

// Write gives the place back and writes to the caller.
func (x *exchange) Write(p []byte) (int, error) {
	defer x.send(len(p))()
	return x.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher], which Connect looks for before it streams.
func (x *exchange) Flush() {
	defer x.send(0)()
	_ = x.control.Flush()
}

// Unwrap lets net/http find what it knows of its own writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// send begins to wait for the reader and returns the function that ends it. The answer
// to a request that was cut off is not counted: it would cut off the next.
func (x *exchange) send(bytes int) (end func()) {
	x.rest()
	if x.isCut {
		return func() {}
	}
	if x.lane.progress > 0 {
		_ = x.control.SetWriteDeadline(time.Now().Add(x.lane.progress))
	}
	wait := x.lane.waits.begin(MessageLimit+bytes, func() { _ = x.control.SetWriteDeadline(passed()) })
	return func() { x.end(wait) }
}

// passed returns a deadline that has passed: what waits for it ends.
func passed() time.Time { return time.Unix(1, 0) }

// end ends a wait, and logs if it was cut off.
func (x *exchange) end(w *wait) {
	if x.lane.waits.end(w) {
		x.isCut = true
		x.stack.logDenial(x.ctx, reqctx.Address(x.ctx), reasonCut)
	}
}

// work takes a place.
func (x *exchange) work() error {
	select {
	case x.lane.places <- struct{}{}:
		x.working = true
		return nil
	default:
		if x.lane.patience > 0 {
			x.working = x.waitForPlace()
		}
	}
	if !x.working {
		setRetry(x)
		return Busy()
	}
	return nil
}

func (x *exchange) waitForPlace() bool {
	cut := make(chan struct{})
	wait := x.lane.waits.begin(MessageLimit, func() { close(cut) })
	defer x.end(wait)
	timeout := time.NewTimer(x.lane.patience)
	defer timeout.Stop()
	select {
	case x.lane.places <- struct{}{}:
		return true
	case <-cut:
	case <-timeout.C:
	case <-x.ctx.Done():
	}
	return false
}

// rest gives the place back, if there is one.
func (x *exchange) rest() {
	if x.working {
		x.working = false
		<-x.lane.places
	}
	reqctx.Answered(x.ctx)
}
