package transport

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// Gate authenticates the requests of every API. It logs a request without a good
// token, and throttles an address that sends too many bad ones. A good token from
// there is never throttled. A genuine token that has expired does not count, and is
// always refused as such: its client gets a new one for that answer only.
func (s *Stack) Gate() auth.Gate {
	return auth.Gate{Verifier: s.config.Verifier, Rejected: s.rejected}
}

func (s *Stack) rejected(r *http.Request, err error) error {
	ctx := r.Context()
	address := reqctx.Address(ctx)
	s.logDenial(ctx, address, auth.ConnectError(err).Message())
	var refused *auth.TokenError
	if !errors.As(err, &refused) || refused.Genuine {
		return err // nobody's fault
	}
	if wait := s.config.Failures.Count("token from " + address); wait > 0 {
		return &auth.ThrottledError{RetryAfter: wait}
	}
	return err
}

// Denied logs that a caller's token lacks a scope. Service calls it for RPCs.
func (s *Stack) Denied(ctx context.Context, principal *auth.Principal, err error) {
	s.logDenial(ctx, principal.Issuer+" "+principal.Subject, err.Error())
}

func (s *Stack) logDenial(ctx context.Context, caller, reason string) {
	s.config.Failures.Log(ctx, abuse.Denial{Caller: caller, Call: reqctx.RouteOf(ctx).String(), Reason: reason})
}

// logDenials logs the calls whose token lacks a scope.
func (s *Stack) logDenials() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			var refusal *connect.Error
			if principal, ok := auth.PrincipalFrom(ctx); ok && errors.As(err, &refusal) && refusal.Code() == connect.CodePermissionDenied {
				s.logDenial(ctx, principal.Issuer+" "+principal.Subject, refusal.Message())
			}
			return resp, err
		}
	}
}

// recordResults notes the result of every RPC for metrics.
func recordResults() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			if err != nil {
				reqctx.SetCode(ctx, connect.CodeOf(err).String())
			} else {
				reqctx.SetCode(ctx, reqctx.OK)
			}
			return resp, err
		}
	}
}

// RecordResult notes for metrics how a call ended in an API that has no RPCs. The
// code of a domain error is the one that the other APIs have for it. Any other
// error is counted by its HTTP status.
func RecordResult(ctx context.Context, err error) {
	var domain *oauthclient.Error
	switch {
	case err == nil:
		reqctx.SetCode(ctx, reqctx.OK)
	case errors.As(err, &domain):
		reqctx.SetCode(ctx, domainCode(domain).String())
	}
}
