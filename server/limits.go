package server

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
)

const (
	// messageLimit bounds a request message, in bytes, before and after inflating.
	messageLimit = 64 << 10
	// logoMessageLimit leaves room for a logo of 2 MiB in the base64 of JSON.
	logoMessageLimit = 2<<20*4/3 + messageLimit
	// envelopeSlack is what gRPC's framing and gzip add to a message.
	envelopeSlack = 1 << 10
	// compressFrom is the size from which an answer is compressed, in bytes.
	compressFrom = 4 << 10

	// maxStreams bounds the calls at once on one HTTP/2 connection.
	maxStreams = 100
	// maxHeaderBytes bounds the header of a request; an access token may fill half.
	maxHeaderBytes = 16 << 10

	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
)

// limitFor is the size limit of a procedure's request message, in bytes.
func limitFor(procedure string) int64 {
	if procedure == apiv1connect.ClientsServiceUploadClientLogoProcedure {
		return logoMessageLimit
	}
	return messageLimit
}

// withLimits bounds what a procedure reads, on the wire and inflated.
func withLimits() connect.HandlerOption {
	return connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
		limit := limitFor(spec.Procedure)
		return []connect.HandlerOption{connect.WithReadMaxBytes(int(limit)), withGzip(limit)}
	})
}

// limitBody bounds the body on the wire. Connect's own limit lets it read on to
// the end of an endless body.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limitFor(r.URL.Path)+envelopeSlack)
		next.ServeHTTP(w, r)
	})
}

// limitInFlight bounds the calls at once; one more is told to come back.
func limitInFlight(limit int, refuse func(http.ResponseWriter, *http.Request)) func(http.Handler) http.Handler {
	slots := make(chan struct{}, limit)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "1")
				refuse(w, r)
			}
		})
	}
}

// deadline gives a call that has none the default.
func deadline(timeout time.Duration) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if _, ok := ctx.Deadline(); ok {
				return next(ctx, req)
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return next(ctx, req)
		}
	}
}
