package auth

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// ConnectError maps an error of this package to Connect. The challenge that
// goes with it is not part of it: see setChallenge.
func ConnectError(err error) *connect.Error {
	var lacking *ScopeError
	var throttled *ThrottledError
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &throttled):
		return connect.NewError(connect.CodeResourceExhausted, err)
	case errors.As(err, &unavailable):
		return connect.NewError(connect.CodeUnavailable, unavailable)
	case errors.Is(err, ErrKeysUnavailable):
		// Without its cause, which is none of the caller's business.
		return connect.NewError(connect.CodeUnavailable, ErrKeysUnavailable)
	case errors.Is(err, ErrNotAllowed):
		return connect.NewError(connect.CodePermissionDenied, err)
	case errors.As(err, &lacking):
		return scopeError(lacking)
	default:
		return connect.NewError(connect.CodeUnauthenticated, err)
	}
}

// ReasonInsufficientScope is the reason of an error about a missing scope.
const ReasonInsufficientScope = "INSUFFICIENT_SCOPE"

// scopeError tells programs, by a detail, what the message tells people.
func scopeError(lacking *ScopeError) *connect.Error {
	answer := connect.NewError(connect.CodePermissionDenied, lacking)
	detail, err := connect.NewErrorDetail(&errdetails.ErrorInfo{
		Reason:   ReasonInsufficientScope,
		Domain:   "clientsd",
		Metadata: lacking.metadata(),
	})
	if err == nil {
		answer.AddDetail(detail)
	}
	return answer
}

// setChallenge sets the challenge for an error on the headers of the answer,
// in every protocol. It cannot travel as metadata of the Connect error, which
// gRPC sends as trailers: WWW-Authenticate is no trailer (RFC 9110 section
// 6.5.1), and net/http drops it and logs so.
func setChallenge(header http.Header, err error) {
	if value := Challenge(err); value != "" {
		header.Set("WWW-Authenticate", value)
	}
	if wait, ok := retryAfter(err); ok {
		header.Set("Retry-After", RetryAfter(wait))
	}
}

// retryAfter returns how long the caller should wait before the next call; false if
// waiting does not help.
func retryAfter(err error) (time.Duration, bool) {
	var throttled *ThrottledError
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &throttled):
		return throttled.RetryAfter, true
	case errors.As(err, &unavailable):
		return unavailable.RetryAfter, true
	default:
		return 0, errors.Is(err, ErrKeysUnavailable)
	}
}

// RetryAfter returns the value of the Retry-After header (RFC 9110 section 10.2.3):
// whole seconds, at least one.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}
