package servertest

import (
	"encoding/json"
	"image/color"
	"maps"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// An Operation is a method of our services, as the descriptors have it. A method
// that can show a secret is two operations: without and with the secret.
type Operation struct {
	Method     protoreflect.MethodDescriptor
	WithSecret bool
	sample     map[string]any // see SampleFields
}

// String returns "Service/Method", with a suffix if the secret is asked for.
func (o Operation) String() string {
	name := string(o.Method.Parent().Name()) + "/" + string(o.Method.Name())
	if o.WithSecret {
		name += " with includeSecret"
	}
	return name
}

// Procedure returns the path of the method.
func (o Operation) Procedure() string {
	return "/" + string(o.Method.Parent().FullName()) + "/" + string(o.Method.Name())
}

// NamesOneClient reports whether a request is about one client.
func (o Operation) NamesOneClient() bool {
	field := o.Method.Input().Fields().ByName("client_id")
	return field != nil && !field.IsList()
}

// Operations returns the operations of ClientsService and of our own services.
func Operations(t testing.TB) []Operation {
	t.Helper()
	var found []Operation
	values := SampleFields(t)
	for _, name := range []protoreflect.FullName{"xeonr.auth.api.v1", "clientsd.v1"} {
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
			for i := range file.Services().Len() {
				found = append(found, operationsOf(file.Services().Get(i), values)...)
			}
			return true
		})
	}
	if len(found) < 9 {
		t.Fatalf("the descriptors hold %d operations only", len(found))
	}
	return found
}

func operationsOf(service protoreflect.ServiceDescriptor, values map[string]any) []Operation {
	var found []Operation
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		found = append(found, Operation{Method: method, sample: values})
		if method.Input().Fields().ByName("include_secret") != nil {
			found = append(found, Operation{Method: method, sample: values, WithSecret: true})
		}
	}
	return found
}

// JSON returns a valid request about a client, with a value for every field that has
// a sample.
func (o Operation) JSON(t testing.TB, clientID, secret string) []byte {
	t.Helper()
	members := maps.Clone(o.sample)
	members["clientId"], members["secret"], members["includeSecret"] = clientID, secret, o.WithSecret
	if !o.NamesOneClient() {
		members["clientId"] = []string{clientID}
	}
	maps.DeleteFunc(members, func(name string, _ any) bool { return o.Method.Input().Fields().ByJSONName(name) == nil })
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Request returns the message that JSON spells.
func (o Operation) Request(t testing.TB, clientID, secret string) *dynamicpb.Message {
	t.Helper()
	message := dynamicpb.NewMessage(o.Method.Input())
	if err := protojson.Unmarshal(o.JSON(t, clientID, secret), message); err != nil {
		t.Fatalf("%s: %v", o, err)
	}
	return message
}

// SampleFields returns a valid value for every field of every request, but for the
// client.
func SampleFields(t testing.TB) map[string]any {
	t.Helper()
	text, err := protojson.Marshal(Request())
	if err != nil {
		t.Fatal(err)
	}
	members := Object(t, text)
	members["logoData"] = PNG(t, 1, 1, color.White)
	members["contentType"] = "image/png"
	return members
}

// notCompared are the header fields that differ between equal answers.
var notCompared = []string{"Date", "X-Request-Id"}

// PostOperation calls an operation with JSON. The reply lacks what differs between
// equal answers.
func (s *Server) PostOperation(t *testing.T, o Operation, token, clientID, secret string) Reply {
	t.Helper()
	response, body := s.PostJSON(t, o.Procedure(), token, string(o.JSON(t, clientID, secret)))
	for _, name := range notCompared {
		response.Header.Del(name)
	}
	return Reply{response.StatusCode, response.Header, string(body)}
}
