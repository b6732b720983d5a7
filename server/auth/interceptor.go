package auth

import (
	"context"

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

// WrapUnary decides before the handler runs.
func (i interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := i.rules.Authorise(ctx, req.Spec().Procedure, req.Any()); err != nil {
			if call, ok := connect.CallInfoForHandlerContext(ctx); ok {
				setChallenge(call.ResponseHeader(), err)
			}
			return nil, ConnectError(err)
		}
		return next(ctx, req)
	}
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
