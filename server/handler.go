package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	connectcors "connectrpc.com/cors"
	"connectrpc.com/validate"
	"github.com/rs/cors"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/api/zitadel"
	"clientsd/server/auth"
	"clientsd/server/reqctx"
)

// handler is everything the port answers. From the outside in: id, metrics and
// trace, CORS, security headers, then the routes; a call to a service goes on through the
// bound of calls at once, the access token and the bound of its body, all
// before a byte of the body is read.
func (s *Server) handler() (http.Handler, error) {
	verifier, err := s.verifier()
	if err != nil {
		return nil, err
	}
	rules := auth.NewRules(s.config.SecretReadScope)
	options, err := s.options(rules)
	if err != nil {
		return nil, err
	}
	routes := &routes{
		Server:  s,
		mux:     http.NewServeMux(),
		rules:   rules,
		options: options,
	}
	routes.gate = auth.Gate{Verifier: verifier, Rejected: routes.rejected}
	routes.measured = routes.measure()
	if err := routes.mount(); err != nil {
		return nil, err
	}
	observe := s.telemetry.Middleware(routes.describe)
	return reqctx.Identify(observe(s.recoverPanics(s.cors(secureHeaders(routes))))), nil
}

// options are those of every RPC handler. The order of the interceptors is the
// order of the checks: the error table around everything but those who only
// look on, the scope before the message rules, the deadline last.
func (s *Server) options(rules auth.Rules) ([]connect.HandlerOption, error) {
	tracing, err := s.telemetry.Interceptors()
	if err != nil {
		return nil, err
	}
	return []connect.HandlerOption{
		withJSON(s.answers.json),
		withLimits(),
		connect.WithCompressMinBytes(compressFrom),
		connect.WithInterceptors(append(tracing, noteResult())...),
		connect.WithRecover(s.recovered),
		connect.WithInterceptors(
			s.noteDenials(),
			mapErrors(s.config.Log),
			rules.Interceptor(),
			limitLists(),
			validate.NewInterceptor(),
			deadline(s.config.Timeout),
		),
	}, nil
}

// recovered turns a panic into an internal error, with the cause in the log only.
func (s *Server) recovered(ctx context.Context, spec connect.Spec, _ http.Header, cause any) error {
	s.config.Log.ErrorContext(ctx, "handler panicked", "procedure", spec.Procedure, "panic", fmt.Sprint(cause))
	return connect.NewError(connect.CodeInternal, errInternal)
}

// recoverPanics is recovered for what is no RPC.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.answerPanic(w, r)
		next.ServeHTTP(w, r)
	})
}

// answerPanic is deferred, or there is nothing to recover.
func (s *Server) answerPanic(w http.ResponseWriter, r *http.Request) {
	switch cause := recover(); cause {
	case nil:
	case http.ErrAbortHandler:
		panic(cause) //nolint:forbidigo // net/http's own way to end a connection
	default:
		s.config.Log.ErrorContext(r.Context(), "handler panicked", "path", r.URL.Path, "panic", fmt.Sprint(cause))
		http.Error(w, errInternal.Error(), http.StatusInternalServerError)
	}
}

// secureHeaders are on every answer; what is made to be cached says so itself.
// A GET of public clients has no default to replace: Connect would add to it.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet || r.URL.Path != apiv1connect.ClientsServiceGetPublicClientsProcedure {
			w.Header().Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// cors lets pages of the configured origins call. They send tokens in a header,
// so no credentials of the browser are ever allowed.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.config.CORSOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: s.config.CORSOrigins,
		AllowedMethods: connectcors.AllowedMethods(),
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization", reqctx.IDHeader, reqctx.IdempotencyHeader, zitadel.OrganisationHeader),
		ExposedHeaders: append(connectcors.ExposedHeaders(), "Www-Authenticate", "Retry-After", reqctx.IDHeader),
		MaxAge:         int((2 * time.Hour).Seconds()),
	}).Handler(next)
}

func (s *Server) serveJWKS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.issuer.JWKS(r.Context())) // a caller who has gone needs no answer
}
