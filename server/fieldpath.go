package server

import (
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
)

// fieldPath writes "list[2].name" as protovalidate does, so that a caller reads
// every violation alike.
func fieldPath(path string) *validate.FieldPath {
	message := &validate.FieldPath{}
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(part, "[")
		element := &validate.FieldPathElement{FieldName: proto.String(name)}
		if n, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 64); indexed && err == nil {
			element.Subscript = &validate.FieldPathElement_Index{Index: n}
		}
		message.Elements = append(message.Elements, element)
	}
	return message
}
