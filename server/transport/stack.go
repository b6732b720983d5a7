// Package transport is what every request passes between the listener and an API.
//
// It owns the limits of a request and of a connection, the codecs, the order of
// the checks, the deadline, and the one table from domain error to Connect code
// (errors.go). A [Stack] puts them around any handler, so that every API, and
// every test of a protocol, is served in the same way.
//
// It must not know which APIs there are, their messages or the database: what
// differs from API to API comes in by [Config].
package transport

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/validate"

	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/reqctx"
	"clientsd/server/turns"
)

// Config is what a Stack works with. Fields without a default are required.
type Config struct {
	// Verifier verifies access tokens.
	Verifier *auth.Verifier
	// Rules say which scope each procedure needs. A procedure without a rule is
	// denied; a public one needs no token.
	Rules auth.Rules
	// Failures counts bad tokens and logs denied calls.
	Failures *abuse.Failures
	// Timeout is the deadline of an RPC that brings none, at most MaxTimeout.
	Timeout time.Duration
	// MaxInFlight bounds the calls with a token that work concurrently. What needs no
	// token has a small part of that for itself.
	MaxInFlight int
	// MessageLimits are the procedures whose messages may be larger than
	// MessageLimit, or must be smaller, in bytes.
	MessageLimits map[string]int64
	// Cacheable are the procedures that set Cache-Control on the answer to a GET
	// by themselves. Every other answer says no-store unless its handler says
	// otherwise.
	Cacheable []string
	// CORSOrigins are the origins whose pages may call. Empty: none; "*": all.
	CORSOrigins []string
	// Preflight is the route of preflights, to any path.
	Preflight reqctx.Route
	// CORSHeaders are request headers that such pages may send, in addition to
	// those that every API has.
	CORSHeaders []string
	// Proxies say where a request came from.
	Proxies reqctx.Proxies
	// Observe is middleware that sees every request with its final answer. Nil: none.
	Observe func(http.Handler) http.Handler
	// Interceptors run around all others. They see what a caller is answered, not
	// the cause.
	Interceptors []connect.Interceptor
	// Log gets the errors that an operator must hear of.
	Log *slog.Logger
}

// A Stack wraps handlers with everything that comes before an API. It is safe for
// concurrent use.
type Stack struct {
	config Config
	errors *connect.ErrorWriter
	calls  *lane        // with a token
	public *waits       // of requests without one
	large  *turns.Queue // of calls with large messages
}

// NewStack returns a Stack.
func NewStack(config Config) *Stack {
	s := &Stack{
		config: config,
		calls:  newLane(config.MaxInFlight, newWaits(4*MessageLimit*config.MaxInFlight)),
		public: newWaits(MessageLimit * config.MaxInFlight),
		large:  turns.New(largePlaces),
	}
	s.calls.body, s.calls.answer = callReadTimeout, callWriteTimeout
	s.errors = connect.NewErrorWriter(s.HandlerOptions()...)
	return s
}

// HandlerOptions returns the options that a generated handler needs for [Stack.Service].
// The order of the interceptors is the order of the checks: the error table is
// around all of them but the observers, the scope comes before the message rules,
// and the deadline is last.
func (s *Stack) HandlerOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		withJSON(false),
		s.readLimits(),
		connect.WithCompressMinBytes(compressFrom),
		connect.WithInterceptors(append(slices.Clip(s.config.Interceptors), recordResults())...),
		connect.WithRecover(s.recoverCall),
		connect.WithInterceptors(
			s.logDenials(),
			refuseFaults(),
			s.mapErrors(),
			s.config.Rules.Interceptor(),
			limitLists(),
			validate.NewInterceptor(),
			deadline(s.config.Timeout),
		),
	}
}

// Service wraps a generated handler, made with [Stack.HandlerOptions], with the
// checks that come before a byte of the body is read: the access token, its scopes,
// the bounds of concurrent calls, the size of the body.
func (s *Stack) Service(handler http.Handler) http.Handler {
	handler = s.checkQuery(s.explain(handler))
	public, calls := s.Public(handler), s.serve(s.calls, s.refuseBusy, s.limitLarge(handler))
	authenticate := auth.Middleware(s.Gate(), s.config.Rules, s.HandlerOptions()...)
	return authenticate(s.CheckScope(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := auth.PrincipalFrom(r.Context()); ok {
			calls.ServeHTTP(w, r)
		} else {
			public.ServeHTTP(w, r)
		}
	})))
}

// CheckScope refuses a call before its body is read if the scopes of its token allow
// no message.
func (s *Stack) CheckScope(handler http.Handler) http.Handler {
	return s.config.Rules.CheckScope(s.Denied, s.HandlerOptions()...)(handler)
}

// REST wraps a handler that answers errors itself. It must not read the body of a
// request without a good token. busy answers a call over the bound of concurrent
// calls.
func (s *Stack) REST(handler http.Handler, busy http.HandlerFunc) http.Handler {
	return s.serve(s.calls, busy, handler)
}

// OpenOptions returns the options for [Stack.Open].
func (s *Stack) OpenOptions() connect.HandlerOption { return s.readLimits() }

// Open wraps a generated handler that needs no token, such as health and
// reflection.
func (s *Stack) Open(handler http.Handler) http.Handler { return s.Public(s.explain(handler)) }

// Public wraps a handler that needs no token. It has a few places of its own, so that
// neither calls with a token nor other handlers wait for it.
func (s *Stack) Public(handler http.Handler) http.Handler {
	own := newLane(s.config.MaxInFlight/publicShare, s.public)
	own.patience, own.progress = s.config.Timeout, writeTimeout
	return s.serve(own, s.refuseBusy, handler)
}

// Handler wraps the routes with what every request passes first: its id, the
// observers, the recovery from a panic, CORS and the security headers.
func (s *Stack) Handler(routes http.Handler) http.Handler {
	handler := s.recoverPanics(s.secureHeaders(s.cors(routes)))
	if s.config.Observe != nil {
		handler = s.config.Observe(handler)
	}
	return reqctx.Identify(s.config.Proxies, handler)
}

// Drain refuses new calls with a token and waits until those that run have finished
// or ctx ends.
func (s *Stack) Drain(ctx context.Context) { s.calls.drain(ctx) }

// Busy returns the error for a call over the bound of concurrent calls.
func Busy() *connect.Error { return connect.NewError(connect.CodeUnavailable, reqctx.ErrBusy) }

func (s *Stack) refuseBusy(w http.ResponseWriter, r *http.Request) {
	_ = s.errors.Write(w, r, Busy()) // the caller may have gone
}

// secureHeaders sets the headers of every answer. A handler whose answers may be
// cached replaces Cache-Control. Connect adds to it instead, so a GET of a
// cacheable procedure has no default.
func (s *Stack) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet || !slices.Contains(s.config.Cacheable, r.URL.Path) {
			w.Header().Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// MaxTimeout bounds the deadline of a call. It is that of writing an answer.
const MaxTimeout = callWriteTimeout

// deadline gives a call that has none the default, and bounds the one that its
// caller has set. It counts from when the message is read.
func deadline(timeout time.Duration) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			limit := timeout
			if _, ok := ctx.Deadline(); ok {
				limit = MaxTimeout
			}
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return next(ctx, req)
		}
	}
}
