package transport

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// errNotProto reports that a codec got a value that is not a message.
var errNotProto = errors.New("not a protobuf message")

// jsonCodec writes every field that is not optional, as the contract has it:
// false, empty strings and empty lists too. It reads no unknown fields, unless
// ignoreUnknown: a caller who misspells a field would get what nobody asked for.
type jsonCodec struct {
	name          string
	ignoreUnknown bool
}

// Name returns the subtype of the content type that selects the codec.
func (c jsonCodec) Name() string { return c.name }

// Marshal encodes a message.
func (c jsonCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

// MarshalAppend encodes a message into a buffer that Connect uses again.
func (jsonCodec) MarshalAppend(buffer []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T: %w", message, errNotProto)
	}
	return protojson.MarshalOptions{EmitDefaultValues: true}.MarshalAppend(buffer, m)
}

// Unmarshal decodes a message. The faults of its fields are left in the message for
// [refuseFaults].
func (c jsonCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T: %w", message, errNotProto)
	}
	err := protojson.UnmarshalOptions{DiscardUnknown: c.ignoreUnknown}.Unmarshal(text, m)
	if err == nil && !hasLargeNumber(text, m) {
		return nil
	}
	if err := checkObject(text); err != nil {
		return err
	}
	found := faults{ignoreUnknown: c.ignoreUnknown}
	found.object("", m.ProtoReflect().Descriptor(), text)
	switch {
	case len(found.list) > 0:
		return leaveFaults(m, found.list)
	case err != nil:
		return errUnreadable // not err, which quotes the request
	default:
		return nil
	}
}

// withJSON replaces Connect's JSON codec under both of its names.
func withJSON(ignoreUnknown bool) connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{"json", ignoreUnknown}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8", ignoreUnknown}),
	)
}

// IgnoreUnknownFields returns the option for an API whose callers may send fields
// in JSON that it does not know. It comes after [Stack.HandlerOptions].
func IgnoreUnknownFields() connect.HandlerOption { return withJSON(true) }

// errInflated ends a body that inflates beyond its limit.
var errInflated = errors.New("inflated message is over its size limit")

// cappedGzip stops inflating one byte after the limit. Connect alone bounds the
// memory but inflates to the end of the body to report its size: a small body
// could cost seconds of CPU.
type cappedGzip struct {
	gzip.Reader

	limit, read int64
}

// Reset starts a new body.
func (c *cappedGzip) Reset(r io.Reader) error {
	c.read = 0
	return c.Reader.Reset(r)
}

// Read returns errInflated after the limit.
func (c *cappedGzip) Read(p []byte) (int, error) {
	left := c.limit + 1 - c.read
	if left <= 0 {
		return 0, errInflated
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

// withGzip accepts and offers gzip. It inflates at most limit bytes of a message.
func withGzip(limit int64) connect.HandlerOption {
	return connect.WithCompression("gzip",
		func() connect.Decompressor { return &cappedGzip{limit: limit} },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) },
	)
}
