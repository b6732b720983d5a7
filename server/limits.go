package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/oauthclient"
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
	// maxListed bounds the elements of a list in a request. No message rule
	// allows more.
	maxListed = 100

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
		r.Body = requestBody{http.MaxBytesReader(underneath(w), r.Body, limitFor(r.URL.Path)+envelopeSlack)}
		next.ServeHTTP(w, r)
	})
}

// underneath is the writer of net/http, which ends the connection of a caller who
// sends too much.
func underneath(w http.ResponseWriter) http.ResponseWriter {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return wrapper.Unwrap()
	}
	return w
}

// errBody answers a body that breaks off, comes too slowly or is badly chunked.
var errBody = errors.New("the body of the request cannot be read to its end")

// requestBody says of a body that cannot be read that the request is at fault:
// Connect would answer with what the connection says, as a fault of ours.
type requestBody struct{ io.ReadCloser }

// Read passes on the end of the body and its being over the limit.
func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge) {
		return n, err
	}
	return n, connect.NewError(connect.CodeInvalidArgument, errBody)
}

// places bound the calls at once, over all APIs together.
type places chan struct{}

// limit tells a call that finds no place to come back.
func (p places) limit(refuse http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case p <- struct{}{}:
				defer func() { <-p }()
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "1")
				refuse(w, r)
			}
		})
	}
}

// takeAll takes the places as they become free, until all are taken or ctx
// ends: calls that run can finish, and no other begins.
func (p places) takeAll(ctx context.Context) {
	for range cap(p) {
		select {
		case p <- struct{}{}:
		case <-ctx.Done():
			return
		}
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

// limitLists refuses a list that is too long before the message rules see it:
// they would say of each of its elements what is wrong with it, a few megabytes
// of answer for a small request.
func limitLists() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if message, ok := req.Any().(proto.Message); ok {
				if err := oauthclient.NewInvalid(longLists(message.ProtoReflect(), "")...); err != nil {
					return nil, err
				}
			}
			return next(ctx, req)
		}
	}
}

// longLists looks at the lists of a message and of the messages in it, but not
// at those inside of lists: their number is bounded by the size of the request.
func longLists(message protoreflect.Message, path string) []oauthclient.Violation {
	var found []oauthclient.Violation
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := path + string(field.Name())
		switch {
		case field.IsList() && value.List().Len() > maxListed:
			found = append(found, oauthclient.Violation{
				Field: name, Rule: "repeated.max_items", Message: fmt.Sprintf("must contain no more than %d items", maxListed),
			})
		case field.Message() != nil && !field.IsList() && !field.IsMap():
			found = append(found, longLists(value.Message(), name+".")...)
		}
		return true
	})
	return found
}
