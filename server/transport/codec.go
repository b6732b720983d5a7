package transport

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"regexp"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// errNotProto reports that a codec got a value that is not a message.
var errNotProto = errors.New("not a protobuf message")

// jsonCodec writes every field that is not optional, as the contract has it:
// false, empty strings and empty lists too.
type jsonCodec struct{ name string }

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

// Unmarshal decodes a message. It ignores unknown fields, as Connect's own codec
// does: a newer caller may send them. An empty body is an error.
func (jsonCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T: %w", message, errNotProto)
	}
	if len(text) == 0 {
		return errors.New("zero-length payload is not a valid JSON object")
	}
	return redactJSONError(protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, m))
}

// protojsonPosition matches the part of a protojson error that says where the
// fault is. Of the request it quotes at most the name of a field.
var protojsonPosition = regexp.MustCompile(`(?:syntax error )?\(line \d+:\d+\)` +
	`(?:: (?:unexpected token|duplicate field|invalid (?:UTF-8|character|escape code)|invalid value for \w+ (?:field|key) \w+))?` +
	`|unexpected EOF|exceeded max recursion depth`)

// redactJSONError keeps only the position and the kind of the fault. The rest of
// a protojson error quotes the request, which may hold a secret, and errors end
// up in logs.
func redactJSONError(err error) error {
	if err == nil {
		return nil
	}
	if found := protojsonPosition.FindString(err.Error()); found != "" {
		return errors.New(found)
	}
	return errors.New("malformed JSON")
}

// withJSON replaces Connect's JSON codec under both of its names.
func withJSON() connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
	)
}

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
