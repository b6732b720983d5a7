package auth

import (
	"context"
	"errors"

	"connectrpc.com/connect"
)

// Interceptor returns an interceptor for handlers that denies every call the
// rules do not allow: `permission_denied` for a missing scope or a procedure
// without a rule, `unauthenticated` for a missing caller. It belongs before
// validation, so that a caller without the scope learns nothing else.
//
// Streaming procedures are always denied: their messages come after the
// decision, and there are none.
func (r Rules) Interceptor() connect.Interceptor {
	return interceptor{rules: r}
}

type interceptor struct {
	rules Rules
}

// WrapUnary decides before the handler runs. A scope that only the handler can
// know of, and finds missing, is reported in the same way.
func (i interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := i.rules.Authorise(ctx, req.Spec().Procedure, req.Any()); err != nil {
			return nil, challenged(ctx, err)
		}
		answer, err := next(ctx, req)
		var lacking *ScopeError
		if principal, ok := PrincipalFrom(ctx); ok && errors.As(err, &lacking) {
			rule := i.rules[req.Spec().Procedure]
			return nil, challenged(ctx, rule.lacking(principal, req.Any(), lacking.Sets[0]...))
		}
		return answer, err
	}
}

// challenged returns the error as its caller reads it. The challenge goes into the
// header of the answer.
func challenged(ctx context.Context, err error) *connect.Error {
	if call, ok := connect.CallInfoForHandlerContext(ctx); ok {
		setChallenge(call.ResponseHeader(), err)
	}
	return ConnectError(err)
}

// WrapStreamingClient does nothing: the interceptor is for handlers.
func (i interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler denies every call.
func (i interceptor) WrapStreamingHandler(connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(context.Context, connect.StreamingHandlerConn) error {
		return ConnectError(ErrNotAllowed)
	}
}
