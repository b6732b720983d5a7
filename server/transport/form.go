package transport

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// form says what the JSON of one value of a field must be, with an example.
func form(field protoreflect.FieldDescriptor) (what, example string) {
	switch kind := field.Kind(); kind {
	case protoreflect.BoolKind:
		return "true or false without quotes", "true"
	case protoreflect.StringKind:
		return "a string of Unicode text", `"text"`
	case protoreflect.BytesKind:
		return "a string in base64", `"aGVsbG8="`
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		names := make([]string, values.Len())
		for i := range names {
			names[i] = strconv.Quote(string(values.Get(i).Name()))
		}
		return "one of " + strings.Join(names, ", "), names[len(names)-1]
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageForm(field.Message())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "a number", "0.5"
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return "a string with an integer of 64 bits", `"1"`
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return "a string with an integer of 64 bits that is not negative", `"1"`
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return "an integer of 32 bits", "1"
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return "an integer of 32 bits that is not negative", "1"
	default:
		return "of the kind " + kind.String(), "none"
	}
}

func messageForm(message protoreflect.MessageDescriptor) (what, example string) {
	switch message.FullName() {
	case "google.protobuf.Duration":
		return "a string with a number of seconds and an s", `"86400s"`
	case "google.protobuf.Timestamp":
		return "a string with a time of RFC 3339", `"2026-01-31T12:00:00Z"`
	case "google.protobuf.FieldMask":
		return "a string with the JSON names of fields and commas between them", `"name,redirectUri"`
	case "google.protobuf.Struct":
		return "an object", `{"key": "value"}`
	default:
		if message.Fields().Len() == 0 {
			return "an object", "{}"
		}
		return "an object", fmt.Sprintf(`{%q: …}`, message.Fields().Get(0).JSONName())
	}
}

// spelling returns a clause about a field mask that has names as in proto files.
func spelling(field protoreflect.FieldDescriptor, value []byte) string {
	var mask string
	if field.Message() == nil || field.Message().FullName() != "google.protobuf.FieldMask" || json.Unmarshal(value, &mask) != nil {
		return ""
	}
	for name := range strings.SplitSeq(mask, ",") {
		known := field.ContainingMessage().Fields().ByTextName(strings.TrimSpace(name))
		if known != nil && known.JSONName() != string(known.Name()) {
			return fmt.Sprintf(": write %s instead of %s", known.JSONName(), known.Name())
		}
	}
	return ""
}
