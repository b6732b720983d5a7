package reqctx

import (
	"context"
	"net/http"
	"net/textproto"

	"connectrpc.com/connect"

	"clientsd/server/oauthclient"
)

// IdempotencyHeader carries the idempotency key of a call: an HTTP header, and
// metadata of gRPC.
const IdempotencyHeader = "Idempotency-Key"

// IdempotencyKey returns the key of a request, or the zero key if it has none.
//
// Errors: Invalid for a malformed key and for more than one.
func IdempotencyKey(header http.Header) (oauthclient.IdempotencyKey, error) {
	switch values := header.Values(IdempotencyHeader); len(values) {
	case 0:
		return oauthclient.IdempotencyKey{}, nil
	case 1:
		// HTTP/1.1 removes the space around a value, HTTP/2 keeps it.
		return oauthclient.ParseIdempotencyKey(textproto.TrimString(values[0]))
	default:
		return oauthclient.ParseIdempotencyKey("") // nobody knows which one counts
	}
}

// IdempotencyKeyOf returns the IdempotencyKey of the RPC that ctx belongs to.
func IdempotencyKeyOf(ctx context.Context) (oauthclient.IdempotencyKey, error) {
	info, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return oauthclient.IdempotencyKey{}, nil
	}
	return IdempotencyKey(info.RequestHeader())
}
