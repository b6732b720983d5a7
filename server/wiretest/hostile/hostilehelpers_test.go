package hostile_test

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// rawText is a field of a message with any bytes as its text.
func rawText(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}
