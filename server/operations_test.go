package server_test

import (
	"encoding/json"
	"image/color"
	"maps"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"clientsd/server/servertest"
)

// operation is a method of our services, as the descriptors have it. A method
// that can show a secret is two: without and with it.
type operation struct {
	method     protoreflect.MethodDescriptor
	withSecret bool
	sample     map[string]any // see sample
}

// String is "Service/Method", and whether the secret is asked for.
func (o operation) String() string {
	name := string(o.method.Parent().Name()) + "/" + string(o.method.Name())
	if o.withSecret {
		name += " with includeSecret"
	}
	return name
}

// procedure is the path of the method.
func (o operation) procedure() string {
	return "/" + string(o.method.Parent().FullName()) + "/" + string(o.method.Name())
}

// namesOneClient says whether a request is about one client.
func (o operation) namesOneClient() bool {
	field := o.method.Input().Fields().ByName("client_id")
	return field != nil && !field.IsList()
}

// operations are those of every service in our packages.
func operations(t testing.TB) []operation {
	t.Helper()
	var found []operation
	values := sample(t)
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

func operationsOf(service protoreflect.ServiceDescriptor, values map[string]any) []operation {
	var found []operation
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		found = append(found, operation{method: method, sample: values})
		if method.Input().Fields().ByName("include_secret") != nil {
			found = append(found, operation{method: method, sample: values, withSecret: true})
		}
	}
	return found
}

// json is a request that is right in every field, about the client. It has
// members that only other methods know, which are ignored.
func (o operation) json(t testing.TB, clientID, secret string) []byte {
	t.Helper()
	members := maps.Clone(o.sample)
	members["clientId"], members["secret"], members["includeSecret"] = clientID, secret, o.withSecret
	if !o.namesOneClient() {
		members["clientId"] = []string{clientID}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// request is the message of json.
func (o operation) request(t testing.TB, clientID, secret string) *dynamicpb.Message {
	t.Helper()
	message := dynamicpb.NewMessage(o.method.Input())
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(o.json(t, clientID, secret), message); err != nil {
		t.Fatalf("%s: %v", o, err)
	}
	return message
}

// sample has a good value for every field of every request, whatever the client.
func sample(t testing.TB) map[string]any {
	t.Helper()
	text, err := protojson.Marshal(servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	members := object(t, text)
	members["logoData"] = pngOf(t, 1, 1, color.White)
	members["contentType"] = "image/png"
	return members
}
