package server

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

// errNotProto says that a codec was given something that is no message.
var errNotProto = errors.New("not a protobuf message")

// jsonCodec writes records in full: false booleans, empty strings and empty
// lists too, as the contract has them. Fields that are optional stay absent.
type jsonCodec struct {
	name string
	// remembered is the text of a message that was written before, or nil.
	remembered func(message any) []byte
}

// Name is what selects the codec: the subtype of the content type.
func (c jsonCodec) Name() string { return c.name }

// Marshal writes a message with every field that is not optional.
func (c jsonCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

// MarshalAppend is Marshal into a buffer that Connect uses again.
func (c jsonCodec) MarshalAppend(buffer []byte, message any) ([]byte, error) {
	if text := c.remembered(message); text != nil {
		return append(buffer, text...), nil
	}
	return appendJSON(buffer, message)
}

func appendJSON(buffer []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T: %w", message, errNotProto)
	}
	return protojson.MarshalOptions{EmitDefaultValues: true}.MarshalAppend(buffer, m)
}

// Unmarshal ignores fields it does not know, as Connect's own codec does: a
// newer caller may send them. An empty body is an error, not an empty message.
func (jsonCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T: %w", message, errNotProto)
	}
	if len(text) == 0 {
		return errors.New("zero-length payload is not a valid JSON object")
	}
	return withoutValues(protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, m))
}

// saysWhere is the part of an error of protojson that quotes nothing of the
// request but the name of a field.
var saysWhere = regexp.MustCompile(`(?:syntax error )?\(line \d+:\d+\)` +
	`(?:: (?:unexpected token|duplicate field|invalid (?:UTF-8|character|escape code)|invalid value for \w+ (?:field|key) \w+))?` +
	`|unexpected EOF|exceeded max recursion depth`)

// withoutValues keeps of an error of protojson where and why the request is
// malformed. What it quotes may be a secret, and errors end up in logs.
func withoutValues(err error) error {
	if err == nil {
		return nil
	}
	if found := saysWhere.FindString(err.Error()); found != "" {
		return errors.New(found)
	}
	return errors.New("malformed JSON")
}

// withJSON replaces Connect's codec under both names it goes by.
func withJSON(remembered func(message any) []byte) connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{"json", remembered}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8", remembered}),
	)
}

// errInflated ends a body that inflates beyond its limit.
var errInflated = errors.New("inflated message is over its size limit")

// cappedGzip stops inflating one byte after the limit. Connect alone would
// bound the memory but go on to the end of the body, only to tell its size: a
// small body can cost seconds of CPU that way.
type cappedGzip struct {
	gzip.Reader

	limit, read int64
}

// Reset starts a new body.
func (c *cappedGzip) Reset(r io.Reader) error {
	c.read = 0
	return c.Reader.Reset(r)
}

// Read fails with errInflated once more than the limit was read.
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

// withGzip accepts and offers gzip, inflating at most limit bytes a message.
func withGzip(limit int64) connect.HandlerOption {
	return connect.WithCompression("gzip",
		func() connect.Decompressor { return &cappedGzip{limit: limit} },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) },
	)
}
