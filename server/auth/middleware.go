package auth

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
)

// Middleware returns net/http middleware that lets through only requests with
// a good access token, with their [Principal] in the context, and requests
// for a public procedure, whose token, if any, is ignored.
//
// It answers in the caller's own protocol, without reading the body: gRPC,
// gRPC-Web, or Connect for that and for anything that is no RPC. The options
// must be those of the handlers it guards. It guards whatever it wraps: what
// is open to all, such as health checks, belongs outside.
//
// [connectrpc.com/authn] does nearly the same, but it takes the last two
// segments of any path for the procedure, so that a public one would be public
// under every prefix, and it cannot set a header on a gRPC error.
//
// [connectrpc.com/authn]: https://pkg.go.dev/connectrpc.com/authn
func Middleware(g Gate, rules Rules, opts ...connect.HandlerOption) func(http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter(opts...)
	guard := Guard(g, func(w http.ResponseWriter, r *http.Request, err error) {
		_ = errorWriter.Write(w, r, ConnectError(err)) // the caller has gone
	})
	return func(next http.Handler) http.Handler {
		guarded := guard(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The whole path decides, as it does in the generated handlers.
			if rules[r.URL.Path].Public {
				next.ServeHTTP(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
	}
}

// Guard does the work of Middleware for an API with its own error answers: refuse writes
// one for an error of [Gate.Authenticate]. The headers that go with the error
// are set already.
func Guard(g Gate, refuse func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			principal, err := g.Authenticate(r)
			if err != nil {
				setChallenge(w.Header(), err)
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(WithPrincipal(r.Context(), principal)))
		})
	}
}

// CheckScope returns net/http middleware that refuses a call before its body is read,
// if it would be refused with the same error whatever its message is. It leaves the
// others to [Rules.Interceptor], and procedures without a rule. It belongs inside
// [Middleware] and answers as that does. denied hears of each refusal.
func (r Rules) CheckScope(
	denied func(context.Context, *Principal, error), opts ...connect.HandlerOption,
) func(http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter(opts...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			rule, known := r[req.URL.Path]
			principal, ok := PrincipalFrom(req.Context())
			if !known || !ok {
				next.ServeHTTP(w, req)
				return
			}
			if err := rule.checkScope(principal); err != nil {
				denied(req.Context(), principal, err)
				setChallenge(w.Header(), err)
				_ = errorWriter.Write(w, req, ConnectError(err)) // the caller may have gone
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}
