package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"clientsd/server/nearest"
	"clientsd/server/oauthclient"
	"clientsd/server/secret"
)

const (
	// maxFaults bounds the faults in one answer: a small request has no large answer.
	maxFaults = 10
	// maxPath bounds the path of a member of free JSON, in bytes.
	maxPath = 256
	// maxMisspelt bounds the names for which a near one is looked for, in bytes.
	maxMisspelt = 64
)

// faults collects what is wrong with the fields of a JSON message. The error of
// protojson has the first fault only, and quotes the request, which may hold a secret.
type faults struct {
	ignoreUnknown bool
	list          []oauthclient.Violation
	listed        bool // the known names, once
}

func (f *faults) add(path, rule, message string) {
	if len(f.list) < maxFaults {
		f.list = append(f.list, oauthclient.Violation{Field: path, Rule: "json." + rule, Message: message})
	}
}

// object looks for faults in the JSON object of a message.
func (f *faults) object(path string, message protoreflect.MessageDescriptor, text []byte) {
	given := map[protoreflect.Name]bool{}
	for name, value := range members(text) {
		field := message.Fields().ByJSONName(name)
		if field == nil {
			field = message.Fields().ByTextName(name)
		}
		switch {
		case field == nil && !f.ignoreUnknown:
			f.unknown(path, message, name)
		case field == nil:
		case given[field.Name()]:
			f.add(join(path, field.JSONName()), "duplicate", "must be given only once")
		default:
			given[field.Name()] = true
			f.field(join(path, field.JSONName()), field, value)
		}
	}
}

// unknown adds a field that a message does not have.
func (f *faults) unknown(path string, message protoreflect.MessageDescriptor, name string) {
	if len(f.list) == maxFaults {
		return
	}
	known, hint := make([]string, message.Fields().Len()), ""
	for i := range known {
		known[i] = message.Fields().Get(i).JSONName()
	}
	if len(name) <= maxMisspelt {
		hint = nearest.DidYouMean(name, known)
	}
	if hint == "" && !f.listed && len(known) > 0 {
		f.listed, hint = true, "; known are "+strings.Join(known, ", ")
	}
	if secret.MayQuote(name) {
		f.add(join(path, name), "unknown_field", "unknown field"+hint)
	} else {
		f.add(path, "unknown_field", "unknown field, whose name is not shown"+hint)
	}
}

// field looks for faults in the value of a field, and in no more elements than a
// list may have.
func (f *faults) field(path string, field protoreflect.FieldDescriptor, value []byte) {
	switch {
	case string(value) == "null": // as if the field was not there
	case field.IsList() && value[0] == '[':
		i := 0
		for _, element := range members(value) {
			if i == maxListed {
				f.add(path, "max_items", fmt.Sprintf("must contain no more than %d items", maxListed))
				return
			}
			f.value(index(path, i), field, element)
			i++
		}
	case field.IsMap() && value[0] == '{':
		for name, element := range members(value) {
			f.value(join(path, name), field.MapValue(), element)
		}
	case field.IsList():
		_, example := form(field)
		f.add(path, "type", "must be a list, such as ["+example+"]")
	case field.IsMap():
		_, example := form(field.MapValue())
		f.add(path, "type", `must be an object, such as {"key": `+example+"}")
	default:
		f.value(path, field, value)
	}
}

// value looks for faults in one value. protojson says whether there is one, except
// in messages that have JSON names for their fields.
func (f *faults) value(path string, field protoreflect.FieldDescriptor, value []byte) {
	message, before := field.Message(), len(f.list)
	if message != nil && message.ParentFile().Package() != "google.protobuf" && value[0] == '{' {
		f.object(path, message, value)
		return
	}
	if message != nil && message.FullName() == "google.protobuf.Struct" && value[0] == '{' {
		f.free(path, freeDecoder(value))
		if len(f.list) == before && !f.accepts(field, value) {
			f.add(path, "unreadable", errUnreadable.Error())
		}
		return
	}
	if !f.accepts(field, value) {
		what, example := form(field)
		f.add(path, "type", "must be "+what+", such as "+example+spelling(field, value))
	}
}

// accepts reports whether protojson can read a value of a field.
func (f *faults) accepts(field protoreflect.FieldDescriptor, value []byte) bool {
	layout := "{%q: %s}"
	if field.IsList() {
		layout = "{%q: [%s]}"
	}
	options := protojson.UnmarshalOptions{DiscardUnknown: f.ignoreUnknown}
	return options.Unmarshal(fmt.Appendf(nil, layout, field.JSONName(), value), dynamicpb.NewMessage(field.ContainingMessage())) == nil
}

// join appends a name to the path of a field, if an error may quote it.
func join(path, name string) string {
	switch {
	case !secret.MayQuote(name) || len(path) > maxPath:
		return path
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

// index appends an index to the path of a list. A list in a list has none.
func index(path string, i int) string {
	if strings.HasSuffix(path, "]") || len(path) > maxPath {
		return path
	}
	return path + "[" + strconv.Itoa(i) + "]"
}

// members returns the names and values of an object, or the elements of a list with
// empty names. The text must be JSON.
func members(text []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		decoder := json.NewDecoder(bytes.NewReader(text))
		start, _ := decoder.Token()
		for decoder.More() {
			var name string
			var value json.RawMessage
			if start == json.Delim('{') {
				token, _ := decoder.Token()
				name, _ = token.(string)
			}
			if decoder.Decode(&value) != nil || !yield(name, value) {
				return
			}
		}
	}
}

var (
	errEmpty      = errors.New("the body is empty: send a JSON object, at least {}")
	errNotObject  = errors.New("the body must be a JSON object, such as {}")
	errUnreadable = errors.New("the JSON is nested too deeply or has text that is not Unicode")
)

// checkObject returns why a text is not a JSON object. Of the text it quotes at most
// one character.
func checkObject(text []byte) error {
	trimmed := bytes.TrimSpace(text)
	var value json.RawMessage
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(text, &value); {
	case len(trimmed) == 0:
		return errEmpty
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON (%s): %w", position(text[:syntax.Offset-1]), syntax)
	case trimmed[0] != '{':
		return errNotObject
	default:
		return nil
	}
}

// position returns the line and column of the character after a text.
func position(text []byte) string {
	line := bytes.Count(text, []byte("\n")) + 1
	return fmt.Sprintf("line %d, column %d", line, utf8.RuneCount(text[bytes.LastIndexByte(text, '\n')+1:])+1)
}

// faultMark stands before faults in the unknown fields of a message. No decoder
// lets such a byte through: it would be field 0.
const faultMark = 0

// leaveFaults leaves faults in a message for [refuseFaults]. If the codec returned
// an error, Connect would send it without details.
func leaveFaults(message proto.Message, list []oauthclient.Violation) error {
	encoded, err := proto.MarshalOptions{}.MarshalAppend([]byte{faultMark}, violations(list))
	proto.Reset(message)
	message.ProtoReflect().SetUnknown(encoded)
	return err
}

// refuseFaults refuses a message in which the codec has left faults.
func refuseFaults() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			message, ok := req.Any().(proto.Message)
			if !ok {
				return next(ctx, req)
			}
			unknown := message.ProtoReflect().GetUnknown()
			if len(unknown) == 0 || unknown[0] != faultMark {
				return next(ctx, req)
			}
			list := &validate.Violations{}
			if err := proto.Unmarshal(unknown[1:], list); err != nil {
				return nil, err
			}
			return nil, fieldsError(connect.CodeInvalidArgument, list)
		}
	}
}
