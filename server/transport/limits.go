package transport

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/server/oauthclient"
)

const (
	// MessageLimit bounds a request message, in bytes, before and after
	// inflating. Config.MessageLimits has the exceptions.
	MessageLimit = 64 << 10
	// envelopeSlack is what gRPC's framing and gzip add to a message.
	envelopeSlack = 1 << 10
	// compressFrom is the size from which an answer is compressed, in bytes.
	compressFrom = 4 << 10
	// maxListed bounds the elements of a list in a request. No message rule
	// allows more.
	maxListed = 100
)

// limitFor returns the size limit of a procedure's request message, in bytes.
func (s *Stack) limitFor(procedure string) int64 {
	if limit, ok := s.config.MessageLimits[procedure]; ok {
		return limit
	}
	return MessageLimit
}

// readLimits bounds what a procedure reads, on the wire and inflated.
func (s *Stack) readLimits() connect.HandlerOption {
	return connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
		limit := s.limitFor(spec.Procedure)
		return []connect.HandlerOption{connect.WithReadMaxBytes(int(limit)), withGzip(limit)}
	})
}

// limitBody bounds the body on the wire. Connect's own limit lets it read on to
// the end of an endless body.
func (s *Stack) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = requestBody{http.MaxBytesReader(unwrapWriter(w), r.Body, s.limitFor(r.URL.Path)+envelopeSlack)}
		next.ServeHTTP(w, r)
	})
}

// unwrapWriter returns the writer of net/http, which ends the connection of a
// caller who sends too much.
func unwrapWriter(w http.ResponseWriter) http.ResponseWriter {
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return wrapper.Unwrap()
	}
	return w
}

// errBody answers a body that breaks off, comes too slowly or is badly chunked.
var errBody = errors.New("the body of the request cannot be read to its end")

// requestBody reports a body that cannot be read as a fault of the request.
// Connect would answer with the error of the connection, as a fault of the server.
type requestBody struct{ io.ReadCloser }

// Read passes on the end of the body and the error of a body over the limit.
func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge) {
		return n, err
	}
	return n, connect.NewError(connect.CodeInvalidArgument, errBody)
}

// inFlight bounds the calls that run concurrently, over all APIs together.
type inFlight chan struct{}

// limit refuses a call over the bound and asks it to come back.
func (f inFlight) limit(refuse http.HandlerFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case f <- struct{}{}:
			defer func() { <-f }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, r)
		}
	})
}

// drain waits until the calls that run have finished or ctx ends. No other call
// begins.
func (f inFlight) drain(ctx context.Context) {
	for range cap(f) {
		select {
		case f <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// limitLists refuses a list that is too long before the message rules see it:
// they would report each element, a few megabytes of answer for a small request.
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
// at those inside lists: their number is bounded by the size of the request.
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

// errQuery answers a GET whose message is not the base64 that it claims to be.
var errQuery = errors.New("the message in the query is not base64 for URLs")

// checkQuery refuses such a GET before Connect does: Connect would answer it as a
// fault of the server.
func (s *Stack) checkQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Get("base64") == "1" && !isBase64(r.URL.Query().Get("message")) {
			_ = s.errors.Write(w, r, connect.NewError(connect.CodeInvalidArgument, errQuery)) // the caller may have gone
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isBase64 accepts what Connect does: the alphabet of RFC 4648, 5, padded to a
// multiple of four or not at all.
func isBase64(text string) bool {
	encoding := base64.RawURLEncoding
	if len(text)%4 == 0 {
		encoding = base64.URLEncoding
	}
	_, err := encoding.DecodeString(text)
	return err == nil
}
