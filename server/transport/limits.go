package transport

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/server/auth"
	"clientsd/server/oauthclient"
)

const (
	// MessageLimit bounds a request message, in bytes, before and after
	// inflating. Config.MessageLimits has the exceptions.
	MessageLimit = 64 << 10
	// envelopeSlack is what gRPC's framing and gzip add to a message.
	envelopeSlack = 1 << 10
	// publicShare says how small the part of MaxInFlight is that each handler without
	// a token has: four places of 1024, fewer than a database has connections.
	publicShare = 256
	// compressFrom is the size from which an answer is compressed, in bytes.
	compressFrom = 4 << 10
	// largePlaces bounds the messages over MessageLimit that are held concurrently.
	largePlaces = 8
	// largePatience is how long a call waits for one of them. It must be less than
	// the readTimeout of the server, which goes on.
	largePatience = 3 * time.Second
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

// limitLarge lets the calls with large messages wait for one of a few places before
// their bodies are read. Organisations take turns.
func (s *Stack) limitLarge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, ok := auth.PrincipalFrom(r.Context())
		if !ok || s.limitFor(r.URL.Path) <= MessageLimit {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), largePatience)
		defer cancel()
		end, err := s.large.Take(ctx, principal.Organisation)
		if err != nil {
			setRetry(w)
			s.refuseBusy(w, r)
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
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
