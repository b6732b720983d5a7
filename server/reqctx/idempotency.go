package reqctx

import (
	"context"
	"net/http"
	"net/textproto"

	"connectrpc.com/connect"

	"clientsd/server/oauthclient"
)

// IdempotencyHeader names a call, so that it can be repeated without being done
// again: an HTTP header, and metadata of gRPC.
const IdempotencyHeader = "Idempotency-Key"

// IdempotencyKey is the key of a request, or the zero key if it has none.
//
// Errors: Invalid for a key that is none, and for more than one.
func IdempotencyKey(header http.Header) (oauthclient.IdempotencyKey, error) {
	switch values := header.Values(IdempotencyHeader); len(values) {
	case 0:
		return oauthclient.IdempotencyKey{}, nil
	case 1:
		// HTTP/1.1 takes the space around a value away, HTTP/2 leaves it there.
		return oauthclient.ParseIdempotencyKey(textproto.TrimString(values[0]))
	default:
		return oauthclient.ParseIdempotencyKey("") // which of them?
	}
}

// IdempotencyKeyOf is IdempotencyKey for the RPC that ctx belongs to.
func IdempotencyKeyOf(ctx context.Context) (oauthclient.IdempotencyKey, error) {
	info, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return oauthclient.IdempotencyKey{}, nil
	}
	return IdempotencyKey(info.RequestHeader())
}
