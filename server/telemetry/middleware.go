package telemetry

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
)

// A Call is what is known of a request once it is answered.
type Call struct {
	// Route is what was asked for.
	Route Route
	// ID is the id of the request.
	ID string
	// Address is where it came from, for the log only.
	Address string
	// Code is "ok" or a Connect code. Empty: what the answer says.
	Code string
	// SecretReleased says that the answer carries a secret.
	SecretReleased bool
}

// Middleware counts and times every request, logs it at debug level and, if spans
// are collected, traces it. Once a request is answered, describe says which one it was; it gets the
// request as the handler did, so that what routes it may leave notes on it.
func (t *Telemetry) Middleware(describe func(*http.Request) Call) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun := time.Now()
			t.metrics.inFlight.Inc()
			r, span := t.startSpan(r)
			resp := &answer{ResponseWriter: w}
			defer func() {
				t.metrics.inFlight.Dec()
				call := describe(r)
				if call.Code == "" {
					call.Code = resp.code()
				}
				took := time.Since(begun)
				t.metrics.count(call, took)
				t.logAccess(r, call, resp, took)
				endSpan(span, r, call, resp)
			}()
			next.ServeHTTP(resp, r)
		})
	}
}

// logAccess logs a request by its route: its path is the caller's, and may hold a
// secret.
func (t *Telemetry) logAccess(r *http.Request, call Call, resp *answer, took time.Duration) {
	if !t.config.Log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	t.config.Log.DebugContext(r.Context(), "request", "api", call.Route.API, "method", call.Route.Method, "code", call.Code,
		"status", max(resp.status, http.StatusOK), "address", call.Address, "took", took)
}

// answer remembers how a request was answered.
type answer struct {
	http.ResponseWriter

	status int // 0: 200, or nothing was answered
}

// WriteHeader notes the status, but for those that only announce an answer.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Flush implements [http.Flusher], which Connect looks for before it streams.
func (a *answer) Flush() {
	if flusher, ok := a.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}

// Unwrap lets net/http find what it knows of its own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// code returns how a call ended that came to no handler which would have said so: by
// the status of gRPC, which is a header or a trailer, or by that of HTTP.
func (a *answer) code() string {
	for _, name := range []string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		if text := a.Header().Get(name); text != "" {
			return codeOfGRPC(text)
		}
	}
	return codeOfHTTP(a.status)
}

func codeOfGRPC(text string) string {
	number, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err != nil:
		return connect.CodeUnknown.String()
	case number == 0:
		return codeOK
	default:
		return connect.Code(number).String()
	}
}

// codeOfHTTP applies the reverse of Connect's table, where that has one.
func codeOfHTTP(status int) string {
	switch {
	case status < http.StatusBadRequest:
		return codeOK
	case status == http.StatusUnauthorized:
		return connect.CodeUnauthenticated.String()
	case status == http.StatusForbidden:
		return connect.CodePermissionDenied.String()
	case status == http.StatusNotFound:
		return connect.CodeNotFound.String()
	case status == http.StatusMethodNotAllowed, status == http.StatusUnsupportedMediaType, status == http.StatusNotImplemented:
		return connect.CodeUnimplemented.String()
	case status == http.StatusConflict:
		return connect.CodeAborted.String()
	case status == http.StatusRequestEntityTooLarge, status == http.StatusTooManyRequests:
		return connect.CodeResourceExhausted.String()
	case status == http.StatusServiceUnavailable:
		return connect.CodeUnavailable.String()
	case status == http.StatusGatewayTimeout:
		return connect.CodeDeadlineExceeded.String()
	case status < http.StatusInternalServerError:
		return connect.CodeInvalidArgument.String()
	default:
		return connect.CodeInternal.String()
	}
}
