package hostile_test

import (
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// overProto can send every text, which JSON cannot.
var overProto = servertest.Protocols()[1]

// controls are what could end a line of a log, a header or a C string, or move
// the cursor of whoever reads.
var controls = []string{"\x00", "\x01", "\x08", "\x1b[31m", "\x7f", "\u0085", "\u009b"}

func TestTexts_ControlCharacters(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		texts := 0
		request := o.Request(t, client.GetClientId(), client.GetClientSecret())
		eachText(request.ProtoReflect(), func(path, text string, set func(string)) {
			texts++
			for _, control := range append(controls, "\n", "\r\n", "\t") {
				if path == "secret" || path == "description" && strings.TrimSpace(control) == "" {
					continue // see the test below
				}
				set(text + control)
				_, err := s.Call(t.Context(), overProto, token, o.Method, request)
				if got := servertest.CallErrorOf(err); got.Code != connect.CodeInvalidArgument {
					t.Errorf("%s: %s with %q: got %+v, want invalid_argument", o, path, control, got)
				}
			}
			set(text)
		})
		if texts == 0 && o.Method.Input().Fields().ByName("application_id") == nil {
			t.Errorf("%s: found no text in its request", o)
		}
	}
	s.WantCalm(t)
}

// eachText visits every text that a request can hold, with a way to replace it.
// It fills an empty list, and leaves free JSON alone.
func eachText(message protoreflect.Message, visit func(path, text string, set func(string))) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := string(field.Name())
		switch {
		case field.Kind() == protoreflect.StringKind && field.IsList():
			list := message.Mutable(field).List()
			if list.Len() == 0 {
				list.Append(protoreflect.ValueOfString(""))
			}
			visit(name, list.Get(0).String(), func(text string) { list.Set(0, protoreflect.ValueOfString(text)) })
		case field.Kind() == protoreflect.StringKind:
			visit(name, message.Get(field).String(), func(text string) { message.Set(field, protoreflect.ValueOfString(text)) })
		case field.Kind() == protoreflect.MessageKind && field.IsList():
			eachText(message.Mutable(field).List().AppendMutable().Message(), prefixed(name, visit))
		case field.Kind() == protoreflect.MessageKind && field.Message().FullName() == "google.protobuf.FieldMask":
			eachText(message.Mutable(field).Message(), prefixed(name, visit))
		}
	}
}

func prefixed(name string, visit func(path, text string, set func(string))) func(path, text string, set func(string)) {
	return func(path, text string, set func(string)) { visit(name+"."+path, text, set) }
}

// A description may have lines, and a secret that no one was given is wrong,
// not invalid.
func TestTexts_MayHoldControlCharacters(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	request := servertest.Request()
	request.Description = "one\n\ttwo\r\nthree"
	client := s.Create(t, request)
	if client.GetDescription() != request.GetDescription() {
		t.Errorf("got description %q, want %q", client.GetDescription(), request.GetDescription())
	}
	for _, control := range append(controls, "\n", " ", "\u202e") {
		if got := s.Verify(t, client.GetClientId(), client.GetClientSecret()+control); got.GetValid() {
			t.Errorf("the secret and %q: got %v", control, got)
		}
		if got := s.Verify(t, client.GetClientId(), control); got.GetValid() {
			t.Errorf("%q: got %v", control, got)
		}
	}
	if got := s.Verify(t, client.GetClientId(), client.GetClientSecret()); got.GetMatched() != clientsdv1.SecretMatch_SECRET_MATCH_CURRENT {
		t.Errorf("the secret: got %v", got)
	}
	s.WantCalm(t)
}

func TestTexts_KeptToTheByte(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, text := range []string{
		"'; DROP TABLE oauth_clients; --", `" OR ""="`, "<script>alert(1)</script>", "%s%n%x", "${jndi:ldap://x}", "{{.}}",
		"e\u0301", "é", "ﬀ", "İ", "👩‍👩‍👧", " x ", strings.Repeat("名", 64),
	} {
		request := servertest.Request()
		request.Name, request.ApplicationId = text, proto.String(text)
		client := s.Create(t, request)
		list, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{ApplicationId: proto.String(text)})
		if err != nil || len(list.GetClients()) != 1 || list.GetClients()[0].GetName() != text || client.GetName() != text {
			t.Errorf("%q: created %q, listed %v, error %v", text, client.GetName(), list.GetClients(), err)
		}
	}
	s.WantCalm(t)
}

// What cannot be shown is not stored, in each text that people read.
func TestTexts_CannotBeShown(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	rpc, client := s.ClientsService(t), s.Create(t, servertest.Request())
	for _, text := range []string{"\u202egnp.exe", "pay\u200bpal", "\ufeffx", "a\u2060b", "\u2066x\u2069", " ", "\u3164"} {
		t.Run(fmt.Sprintf("%+q", text), func(t *testing.T) {
			create := servertest.Request()
			create.Name, create.Description, create.ApplicationId = text, text, &text
			create.ApplicationBindings = []*apiv1.ApplicationBinding{{ApplicationId: text}}
			_, err := rpc.CreateClient(t.Context(), create)
			servertest.WantViolations(t, err, "name", "description", "application_id", "application_bindings[0].application_id")
			_, err = rpc.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{
				ClientId: client.GetClientId(), Name: &text, Description: &text, ApplicationBindings: create.GetApplicationBindings(),
			})
			servertest.WantViolations(t, err, "name", "description", "application_bindings[0].application_id")
			_, err = rpc.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: client.GetClientId(), Reason: &text})
			servertest.WantViolations(t, err, "reason")
		})
	}
	if got := s.Verify(t, client.GetClientId(), client.GetClientSecret()); !got.GetValid() {
		t.Error("a refused reason has rotated the secret")
	}
}

func TestTexts_NotUTF8(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		fields := o.Method.Input().Fields()
		for i := range fields.Len() {
			if fields.Get(i).Kind() != protoreflect.StringKind {
				continue
			}
			request := dynamicpb.NewMessage(o.Method.Input())
			request.ProtoReflect().SetUnknown(rawText(fields.Get(i).Number(), "\xff\xc0\x80"))
			_, err := s.Call(t.Context(), overProto, token, o.Method, request)
			got := servertest.CallErrorOf(err)
			if got.Code != connect.CodeInvalidArgument || !strings.Contains(got.Message, "invalid UTF-8") {
				t.Errorf("%s: %s: got %+v, want invalid_argument: … invalid UTF-8", o, fields.Get(i).Name(), got)
			}
		}
	}
	s.WantCalm(t)
}

// rawText is a field of a message with any bytes as its text.
func rawText(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}
