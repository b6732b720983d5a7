package transport

import (
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"

	"clientsd/server/abuse"
	"clientsd/server/reqctx"
)

// Why a page of another origin may not call.
var (
	errCORSOff    = errors.New("web pages of other origins may not call: the operator can allow some with --cors-origin")
	errCORSOrigin = errors.New("web pages of this origin may not call: the operator can allow it with --cors-origin")
	errCORSHeader = errors.New("a web page may call with GET and POST only, and only with headers that the server reads")
)

// maxOrigin bounds how much of an origin is logged. A host has at most 253 characters.
const maxOrigin = 300

// readHeaders are the request headers that the server reads, in addition to those
// that every Connect client in a browser sends.
var readHeaders = []string{
	"Authorization", reqctx.IDHeader, reqctx.IdempotencyHeader,
	"Traceparent", "Tracestate",
	"Content-Encoding", "Connect-Content-Encoding", "Connect-Accept-Encoding", "Grpc-Encoding", "Grpc-Accept-Encoding",
	"If-Modified-Since", "If-None-Match", "If-Range", "Range",
}

// cors lets pages of the configured origins call. They send tokens in a header, so
// it never allows the browser's credentials. It answers every preflight: one that is
// not allowed is an error, which people find in their browser's tools.
func (s *Stack) cors(next http.Handler) http.Handler {
	rules := cors.New(cors.Options{
		AllowedOrigins:     s.config.CORSOrigins,
		AllowedMethods:     connectcors.AllowedMethods(),
		AllowedHeaders:     append(append(connectcors.AllowedHeaders(), readHeaders...), s.config.CORSHeaders...),
		ExposedHeaders:     append(connectcors.ExposedHeaders(), "Www-Authenticate", "Retry-After", reqctx.IDHeader),
		MaxAge:             int((2 * time.Hour).Seconds()),
		OptionsPassthrough: true,
	})
	preflight := s.config.Preflight.Handler(s.answerPreflight(rules))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
	if len(s.config.CORSOrigins) == 0 {
		return handler
	}
	return rules.Handler(handler)
}

// answerPreflight answers a preflight once the rules have set the headers of one that
// they allow. It logs those that the operator can allow.
func (s *Stack) answerPreflight(rules *cors.Cors) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case w.Header().Get("Access-Control-Allow-Origin") != "":
			w.WriteHeader(http.StatusNoContent)
		case len(s.config.CORSOrigins) == 0:
			s.refuseOrigin(w, r, errCORSOff)
		case !rules.OriginAllowed(r):
			s.refuseOrigin(w, r, errCORSOrigin)
		default:
			s.refusePreflight(w, r, errCORSHeader)
		}
	})
}

func (s *Stack) refuseOrigin(w http.ResponseWriter, r *http.Request, err error) {
	origin := r.Header.Get("Origin")
	denial := abuse.Denial{Caller: reqctx.Address(r.Context()), Call: s.config.Preflight.Method, Reason: err.Error()}
	s.config.Failures.Log(r.Context(), denial, "origin", origin[:min(len(origin), maxOrigin)])
	s.refusePreflight(w, r, err)
}

func (s *Stack) refusePreflight(w http.ResponseWriter, r *http.Request, err error) {
	_ = s.errors.Write(w, r, connect.NewError(connect.CodePermissionDenied, err)) // the caller may have gone
}
