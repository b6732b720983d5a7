package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"clientsd/server/abuse"
	"clientsd/server/api/vigilo"
	"clientsd/server/api/zitadel"
	"clientsd/server/auth"
	"clientsd/server/reqctx"
)

// rejected notes a request without a good token. One bad token too many from
// one address is told so; a good token from there never gets here. A genuine
// token that has expired does not count, and is always refused as such: its
// client gets a new one for that answer, and for no other.
func (r *routes) rejected(req *http.Request, err error) error {
	address := reqctx.Address(req.Context())
	r.denials.Note(req.Context(), abuse.Denial{Caller: address, Call: r.nameOf(req), Reason: auth.ConnectError(err).Message()})
	var refused *auth.TokenError
	if !errors.As(err, &refused) || refused.Genuine {
		return err // nobody's fault
	}
	if wait := r.failures.Note("token from " + address); wait > 0 {
		return &auth.ThrottledError{RetryAfter: wait}
	}
	return err
}

// noteDenials notes the calls whose token lacks a scope.
func (s *Server) noteDenials() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			var refusal *connect.Error
			if principal, ok := auth.PrincipalFrom(ctx); ok && errors.As(err, &refusal) && refusal.Code() == connect.CodePermissionDenied {
				s.denial(ctx, req.Spec().Procedure, principal, refusal.Message())
			}
			return resp, err
		}
	}
}

// denied is noteDenials for the APIs that are no RPC.
func (r *routes) denied(req *http.Request, principal *auth.Principal, err error) {
	r.denial(req.Context(), r.nameOf(req), principal, err.Error())
}

// nameOf is what a request asks for, in words of ours: the path is the caller's,
// and may hold a secret, or be another one each time.
func (r *routes) nameOf(req *http.Request) string {
	_, isProcedure := r.rules[req.URL.Path]
	switch {
	case isProcedure:
		return req.URL.Path
	case vigilo.Owns(req):
		return vigilo.API
	case strings.HasPrefix(req.URL.Path, zitadel.RESTPrefix):
		return zitadel.API
	default:
		return "no procedure"
	}
}

func (s *Server) denial(ctx context.Context, what string, principal *auth.Principal, reason string) {
	caller := principal.Issuer + " " + principal.Subject
	s.denials.Note(ctx, abuse.Denial{Caller: caller, Call: what, Reason: reason})
}
