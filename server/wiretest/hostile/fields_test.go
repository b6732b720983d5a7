package hostile_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// sendJSON sends JSON in each protocol that carries it, and returns the message of
// each refusal. An empty message stands for success.
func sendJSON(t *testing.T, s *servertest.Server, procedure, token, body string) map[string]string {
	t.Helper()
	messages := map[string]string{}
	header := map[string]string{"Authorization": "Bearer " + token}
	for _, contentType := range []string{grpcType + "+json", "application/grpc-web+json"} {
		got := sendFrames(t, s, procedure, contentType, header, frame(0, []byte(body)))
		if got.code != 0 && got.code != connect.CodeInvalidArgument {
			t.Errorf("%s as %s %s: got %v: %s", procedure, contentType, body, got.code, got.message)
		}
		messages[contentType] = got.message
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
		request := s.NewRequest(t, procedure, token, strings.NewReader(body))
		request.Header.Set("Content-Type", contentType)
		response, answer := servertest.Do(t, request)
		var refusal struct{ Code, Message string }
		if err := json.Unmarshal(answer, &refusal); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		if want := (response.StatusCode == http.StatusOK); want != (refusal.Code == "") || !want && refusal.Code != "invalid_argument" {
			t.Errorf("%s as %s %s: got %s: %s", procedure, contentType, body, response.Status, answer)
		}
		messages[contentType] = refusal.Message
	}
	return messages
}

// misspelt is a request with a name in it that nobody knows.
type misspelt struct{ body, path, hint string }

// misspell returns a request once for each name in it, which lacks its last
// character. It leaves out what is inside of free JSON.
func misspell(t *testing.T, message protoreflect.MessageDescriptor, path string, request map[string]any, whole func(any) string) (found []misspelt) {
	t.Helper()
	for name, value := range request {
		wrong := map[string]any{name[:len(name)-1]: value}
		for other, value := range request {
			if other != name {
				wrong[other] = value
			}
		}
		found = append(found, misspelt{whole(wrong), path + name[:len(name)-1], name})
		field := message.Fields().ByJSONName(name)
		replaced := func(inner any) string {
			request[name] = inner
			defer func() { request[name] = value }()
			return whole(request)
		}
		list, isList := value.([]any)
		if isList && field.Message() != nil {
			first, _ := list[0].(map[string]any)
			found = append(found, misspell(t, field.Message(), path+name+"[0].", first, func(inner any) string { return replaced([]any{inner}) })...)
		} else if first, ok := value.(map[string]any); ok && field.Message().ParentFile().Package() != "google.protobuf" {
			found = append(found, misspell(t, field.Message(), path+name+".", first, replaced)...)
		}
	}
	return found
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestUnknownField_Misspelt(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	client := s.Create(t, servertest.Request())
	before, tried := s.Row(t, client.GetClientId()), map[string]bool{}
	for _, o := range servertest.Operations(t) {
		request := servertest.Object(t, o.JSON(t, client.GetClientId(), client.GetClientSecret()))
		for _, tt := range misspell(t, o.Method.Input(), "", request, func(v any) string { return toJSON(t, v) }) {
			want := "validation error: " + tt.path + ": unknown field, did you mean " + tt.hint + "?"
			for protocol, got := range sendJSON(t, s, o.Procedure(), token, tt.body) {
				if got != want {
					t.Errorf("%s as %s %s: got %q, want %q", o, protocol, tt.body, got, want)
				}
			}
			tried[tt.hint] = true
		}
	}
	for _, name := range []string{"clientId", "includeSecret", "logoData", "secret", "jsonConfig", "config"} {
		if !tried[name] {
			t.Errorf("%s was not misspelt", name)
		}
	}
	servertest.WantSameRow(t, before, s.Row(t, client.GetClientId()))
	s.WantEvents(t, client.GetClientId(), "created 1 released")
	if list, err := s.ClientsService(t).ListClients(t.Context(), nil); err != nil || len(list.GetClients()) != 1 {
		t.Errorf("got clients %v, error %v, want the first one alone", list, err)
	}
	s.WantCalm(t)
}

func TestUnknownField_LeavesTheOldSecretValid(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	body := fmt.Sprintf(`{"clientId": %q, "previousSecretValidFr": "86400s", "includeSecret": true}`, client.GetClientId())
	response, answer := s.PostJSON(t, servertest.ClientsPath+"RegenerateSecret", s.Token(t, servertest.All...), body)
	got := servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}
	wantInvalid(t, body, got, "previousSecretValidFr: unknown field, did you mean previousSecretValidFor?")
	if !s.Verify(t, client.GetClientId(), client.GetClientSecret()).GetValid() {
		t.Error("the secret is not valid any more")
	}
}

func TestUnknownField_InAQuery(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	message := url.QueryEscape(`{"clientId": ["550e8400-e29b-41d4-a716-446655440000"], "aplicationId": "x"}`)
	response, answer := s.Get(t, publicClients+"?connect=v1&encoding=json&message="+message)
	got := servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}
	wantInvalid(t, "GET", got, "validation error: aplicationId: unknown field; known are clientId")
	response, answer = s.Get(t, publicClients+"?connect=v1&encoding=json&message="+url.QueryEscape(`{}`))
	got = servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}
	wantInvalid(t, "GET", got, "validation error: clientId: must contain at least 1 item(s)")
}

// What is not known may be a secret in the wrong place.
func TestUnknownField_NotNamed(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	client := s.Create(t, servertest.Request())
	const hidden, known = "validation error: unknown field, whose name is not shown", "; known are clientId, includeSecret"
	for name, want := range map[string]string{
		client.GetClientSecret():             hidden + known,
		client.GetClientSecret() + "x":       hidden + known,
		secret.Generate("").Reveal():         hidden + known,
		strings.Repeat("x", 65):              hidden + known,
		strings.Repeat("x", 60000):           hidden + known,
		"":                                   hidden + known,
		"ключ":                               hidden + known,
		"a b":                                hidden + known,
		"9lives":                             hidden + known,
		"[google.protobuf.x]":                hidden + known,
		"client-id":                          hidden + ", did you mean clientId?",
		"clientId\n":                         hidden + ", did you mean clientId?",
		strings.Repeat("x", 64):              "validation error: " + strings.Repeat("x", 64) + ": unknown field" + known,
		"sk_live_" + strings.Repeat("x", 49): "validation error: sk_live_" + strings.Repeat("x", 49) + ": unknown field" + known,
		"ClientID":                           "validation error: ClientID: unknown field, did you mean clientId?",
		"include_secrets":                    "validation error: include_secrets: unknown field, did you mean includeSecret?",
		"previousSecretValidFor":             "validation error: previousSecretValidFor: unknown field" + known,
	} {
		body := toJSON(t, map[string]any{"clientId": client.GetClientId(), name: client.GetClientSecret()})
		for protocol, got := range sendJSON(t, s, servertest.ClientsPath+"GetClient", token, body) {
			if got != want {
				t.Errorf("%.80q as %s: got %q, want %q", name, protocol, got, want)
			}
		}
	}
	s.WantCalm(t)
}

func TestUnknownField_AnswerIsSmall(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, tt := range []struct{ name, body, message string }{
		{"unknown fields", "{" + strings.Repeat(`"a":0,`, 10000) + `"b":0}`, "a: unknown field; known are clientId"},
		{"elements", `{"clientId":[` + strings.Repeat("0,", 30000) + "0]}", "clientId[9]: must be a string"},
		{"good elements", `{"clientId":[` + strings.Repeat(`"",`, 20000) + "0]}", "clientId: must contain no more than 100 items"},
		{"fields given again", "{" + strings.Repeat(`"clientId":[],`, 4000) + `"clientId":[]}`, "clientId: must be given only once"},
	} {
		response, answer := s.PostJSON(t, publicClients, "", tt.body)
		wantInvalid(t, tt.name, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}, tt.message)
		if len(answer) > 4<<10 {
			t.Errorf("%s: got %d bytes", tt.name, len(answer))
		}
	}
	s.WantCalm(t)
}

func TestUnknownField_OfProtoCallers(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		for _, protocol := range servertest.Protocols()[1:] {
			client := s.Create(t, servertest.Request())
			request := o.Request(t, client.GetClientId(), client.GetClientSecret())
			request.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 15000, protowire.VarintType), 1))
			if _, err := s.Call(t.Context(), protocol, token, o.Method, request); err != nil {
				t.Errorf("%s over %s: %v", o, protocol.Name, err)
			}
		}
	}
	// The codec leaves its faults behind such a byte.
	forged := append([]byte{0}, marshal(t, &validate.Violations{Violations: []*validate.Violation{{}}})...)
	if got := sendFrames(t, s, publicClients, grpcType, nil, frame(0, forged)); !strings.Contains(got.message, "unmarshal message") {
		t.Errorf("faults of a caller: got %v: %s", got.code, got.message)
	}
	s.WantCalm(t)
}

// Each field is named once, as the caller's encoding spells it.
func TestFieldNames_OfTheEncoding(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	id := s.Create(t, servertest.Request()).GetClientId()
	empty := ""
	request := &apiv1.UpdateClientRequest{ClientId: id, RedirectUri: &empty, ApplicationBindings: []*apiv1.ApplicationBinding{
		{ApplicationId: "a"}, {ApplicationId: "a"}, {ApplicationId: ""},
	}}
	const inProto = "validation errors:\n - redirect_uri: must be at least 1 characters; value is empty, which is not a valid URI\n" +
		" - application_bindings: must name each application_id once\n" +
		" - application_bindings[2].application_id: must be at least 1 characters"
	inJSON := strings.NewReplacer("redirect_uri", "redirectUri", "application_bindings", "applicationBindings", "application_id", "applicationId").Replace(inProto)
	for _, protocol := range servertest.Protocols() {
		_, err := s.Clients(protocol, token).UpdateClient(t.Context(), request)
		want := inProto
		if protocol.Name == servertest.ConnectJSON.Name {
			want = inJSON
		}
		servertest.WantError(t, err, connect.CodeInvalidArgument, want)
		servertest.WantViolations(t, err, "redirect_uri", "application_bindings[2].application_id", "application_bindings")
	}
	body := fmt.Sprintf(`{"clientId": %q, "redirectUri": "", "applicationBindings": [{"applicationId": "a"}, {"applicationId": "a"}, {}]}`, id)
	for protocol, got := range sendJSON(t, s, servertest.ClientsPath+"UpdateClient", token, body) {
		if got != inJSON {
			t.Errorf("%s: got %q, want %q", protocol, got, inJSON)
		}
	}
}

// The names that errors have in JSON are made from those of the proto files.
func TestFieldNames_AreThoseOfJSON(t *testing.T) {
	t.Parallel()
	for _, o := range servertest.Operations(t) {
		wantJSONNames(t, o.Method.Input())
	}
}

func wantJSONNames(t *testing.T, message protoreflect.MessageDescriptor) {
	t.Helper()
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if got := servertest.JSONName(string(field.Name())); got != field.JSONName() {
			t.Errorf("%s: JSON has %s, want %s", field.FullName(), field.JSONName(), got)
		}
		if field.Message() != nil && field.Message().ParentFile().Package() != "google.protobuf" {
			wantJSONNames(t, field.Message())
		}
	}
}

func TestField_WrongType(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	id := s.Create(t, servertest.Request()).GetClientId()
	const (
		duration = `previousSecretValidFor: must be a string with a number of seconds and an s, such as "86400s"`
		version  = `expectedSecretVersion: must be a string with an integer of 64 bits, such as "1"`
		mask     = `updateMask: must be a string with the JSON names of fields and commas between them, such as "name,redirectUri"`
		object   = `must be an object, such as {"applicationId": …}`
	)
	for _, tt := range []struct{ method, members, want string }{
		{"RegenerateSecret", `"previousSecretValidFor": "24h"`, duration},
		{"RegenerateSecret", `"previousSecretValidFor": 86400`, duration},
		{"RegenerateSecret", `"previousSecretValidFor": "86400"`, duration},
		{"RegenerateSecret", `"previousSecretValidFor": "999999999999s"`, duration},
		{"RegenerateSecret", `"previous_secret_valid_for": {}`, duration},
		{"RegenerateSecret", `"expectedSecretVersion": "one"`, version},
		{"RegenerateSecret", `"expectedSecretVersion": 9223372036854775808`, version},
		{"RegenerateSecret", `"includeSecret": "true"`, "includeSecret: must be true or false without quotes, such as true"},
		{"RegenerateSecret", `"reason": ["x"]`, `reason: must be a string of Unicode text, such as "text"`},
		{"UpdateClient", `"updateMask": "name,redirect_uri"`, mask + ": write redirectUri instead of redirect_uri"},
		{"UpdateClient", `"updateMask": "owner_id, website_url"`, mask + ": write websiteUrl instead of website_url"},
		{"UpdateClient", `"updateMask": ["name"]`, mask},
		{"UpdateClient", `"updateMask": "name,"`, mask},
		{"UpdateClient", `"allowedDelegators": {}`, `allowedDelegators: must be a list, such as ["text"]`},
		{"UpdateClient", `"allowedDelegators": ["x", null]`, `allowedDelegators[1]: must be a string of Unicode text, such as "text"`},
		{"UpdateClient", `"applicationBindings": {}`, `applicationBindings: must be a list, such as [{"applicationId": …}]`},
		{"UpdateClient", `"applicationBindings": [null]`, "applicationBindings[0]: " + object},
		{"UpdateClient", `"applicationBindings": [{"config": "x"}]`, `applicationBindings[0].config: must be an object, such as {"jsonConfig": …}`},
		{"UpdateClient", `"applicationBindings": [{"config": {"jsonConfig": "{}"}}]`, `applicationBindings[0].config.jsonConfig: must be an object, such as {"key": "value"}`},
		{"UpdateClient", `"applicationBindings": [{"config": {"jsonConfig": {"a": "\ud800"}}}]`, "applicationBindings[0].config.jsonConfig: the JSON is nested too deeply or has text that is not Unicode"},
		{"ListClients", `"pageSize": "ten"`, "pageSize: must be an integer of 32 bits, such as 1"},
		{"ListClients", `"pageSize": 2147483648`, "pageSize: must be an integer of 32 bits, such as 1"},
		{"UploadClientLogo", `"logoData": "*"`, `logoData: must be a string in base64, such as "aGVsbG8="`},
	} {
		body := "{" + tt.members + "}"
		if tt.method != "ListClients" {
			body = fmt.Sprintf(`{"clientId": %q, %s}`, id, tt.members)
		}
		for protocol, got := range sendJSON(t, s, servertest.ClientsPath+tt.method, token, body) {
			if got != "validation error: "+tt.want {
				t.Errorf("%s as %s: got %q, want %q", body, protocol, got, tt.want)
			}
		}
	}
	s.WantEvents(t, id, "created 1 released")
	s.WantCalm(t)
}

// Every fault is in the answer, for people and for programs.
func TestField_SeveralFaults(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	body := `{"clientId": 1, "includeSecret": "x", "clientID": "", "client_id": "", "a": 0, "b": 0}`
	response, answer := s.PostJSON(t, servertest.ClientsPath+"GetClient", s.Token(t, servertest.All...), body)
	wantInvalid(t, body, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)},
		"validation errors:\n - clientId: must be a string of Unicode text, such as \"text\"; must be given only once\n"+
			" - includeSecret: must be true or false without quotes, such as true\n - clientID: unknown field, did you mean clientId?\n"+
			" - a: unknown field; known are clientId, includeSecret\n - b: unknown field")
	var refusal struct {
		Details []struct {
			Type  string
			Debug struct {
				Violations []struct {
					Field  struct{ Elements []struct{ FieldName string } }
					RuleID string
				}
			}
		}
	}
	if err := json.Unmarshal(answer, &refusal); err != nil || len(refusal.Details) != 1 || refusal.Details[0].Type != "buf.validate.Violations" {
		t.Fatalf("got details %+v, error %v", refusal.Details, err)
	}
	var got []string
	for _, violation := range refusal.Details[0].Debug.Violations {
		got = append(got, violation.Field.Elements[0].FieldName+" "+violation.RuleID)
	}
	if want := "clientId json.type, includeSecret json.type, clientID json.unknown_field, a json.unknown_field, b json.unknown_field"; strings.Join(got, ", ") != want {
		t.Errorf("got violations %q, want %s", got, want)
	}
}

// Numbers of free JSON become doubles. What they would change is refused.
func TestSettings_Numbers(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	const refusal = `: must have no number beyond ±9007199254740992, which would lose digits: write it as a string, such as "9007199254740993"`
	for number, kept := range map[string]string{ // empty: refused
		"9007199254740991": "9007199254740991", "9007199254740992": "9007199254740992", "-9007199254740992": "-9007199254740992",
		"9007199254740992.0": "9007199254740992", "9.007199254740992e15": "9007199254740992", "0": "0", "1.5": "1.5", "0.1": "0.1", "1e15": "1000000000000000",
		"6.02e23": "6.02e+23", "1e21": "1e+21", "1.7976931348623157e308": "1.7976931348623157e+308", "5e-324": "5e-324", "1e-400": "0", "1e-99999999999": "0",
		"9007199254740993": "", "-9007199254740993": "", "9007199254740994": "", "9007199254740993.0": "", "9007199254740992.5": "", "9.007199254740993e15": "",
		"1e17": "", "1.0e17": "", "100000000000000000000": "", "12345678901234567890": "", "1" + strings.Repeat("0", 400): "", "1e400": "", "-1e400": "", "1e999999999999": "",
		"9007199254740993" + strings.Repeat("0", 100): "",
	} {
		for _, settings := range []struct{ layout, path string }{
			{`{"a": %s}`, ".a"}, {`{"a": {"b-c": [1, {"d": [[%s]]}]}}`, ".a[1].d[0]"},
		} {
			body := withConfig(t, fmt.Sprintf(settings.layout, number))
			for protocol, got := range sendJSON(t, s, servertest.ClientsPath+"CreateClient", token, body) {
				want := ""
				if kept == "" {
					want = "validation error: applicationBindings[0].config.jsonConfig" + settings.path + refusal
				}
				if got != want {
					t.Errorf("%.40s as %s: got %q, want %q", number, protocol, got, want)
				}
			}
			if kept == "" {
				continue
			}
			_, answer := s.PostJSON(t, servertest.ClientsPath+"CreateClient", token, body)
			want := strings.ReplaceAll(fmt.Sprintf(settings.layout, kept), " ", "")
			if got := strings.ReplaceAll(string(answer), " ", ""); !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %s", number, got, want)
			}
		}
	}
	s.WantCalm(t)
}

// Over Protobuf a number is a double already.
func TestSettings_NumbersOfProtoCallers(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, protocol := range servertest.Protocols()[1:] {
		request := servertest.Request()
		request.ApplicationBindings[0].Config.JsonConfig.Fields["x"] = structpb.NewNumberValue(1 << 60)
		answer, err := s.Clients(protocol, s.Token(t, servertest.All...)).CreateClient(t.Context(), request)
		if err != nil {
			t.Fatalf("%s: %v", protocol.Name, err)
		}
		if got := answer.GetClient().GetApplicationBindings()[0].GetConfig().GetJsonConfig().GetFields()["x"].GetNumberValue(); got != 1<<60 {
			t.Errorf("%s: got %v", protocol.Name, got)
		}
	}
}
