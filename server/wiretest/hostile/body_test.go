package hostile_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"clientsd/server/servertest"
)

func TestBody_NotARequest(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, tt := range []struct{ name, body, message string }{
		{"nothing", "", "the body is empty: send a JSON object, at least {}"},
		{"white space", " \n", "the body is empty: send a JSON object, at least {}"},
		{"null", "null", "the body must be a JSON object, such as {}"},
		{"a list", "[]", "the body must be a JSON object, such as {}"},
		{"a string", `"x"`, "the body must be a JSON object, such as {}"},
		{"a number", "1", "the body must be a JSON object, such as {}"},
		{"not closed", `{"clientId": "x"`, "not JSON (line 1, column 16): unexpected end of JSON input"},
		{"closed twice", "{}}", "not JSON (line 1, column 3): invalid character '}' after top-level value"},
		{"two objects", "{}\n\n {}", "not JSON (line 3, column 2): invalid character '{' after top-level value"},
		{"a comma at the end", `{"clientId": "é",}`, "not JSON (line 1, column 18): invalid character '}' looking for"},
		{"a comment", `{/* */}`, "not JSON (line 1, column 2): invalid character '/'"},
		{"single quotes", `{'clientId': 'x'}`, `not JSON (line 1, column 2): invalid character '\''`},
		{"a name without quotes", `{clientId: "x"}`, "not JSON (line 1, column 2): invalid character 'c'"},
		{"a value that is missing", `{"clientId": }`, "not JSON (line 1, column 14): invalid character '}' looking for beginning of value"},
		{"a field named twice", `{"clientId": "x", "clientId": "y"}`, "clientId: must be given only once"},
		{"a field by both of its names", `{"clientId": "x", "client_id": "y"}`, "clientId: must be given only once"},
		{"a byte order mark", "\xef\xbb\xbf{}", "not JSON (line 1, column 1)"},
		{"UTF-16", "{\x00}\x00", "not JSON (line 1, column 2)"},
		{"bytes that are no UTF-8", "{\"clientId\": \"\xff\xfe\"}", "clientId: must be a string of Unicode text, such as \"text\""},
		{"half of a surrogate pair", `{"clientId": "\ud800"}`, `clientId: must be a string of Unicode text, such as "text"`},
		{"a NUL byte", "{\"clientId\": \"\x00\"}", "not JSON (line 1, column 15): invalid character '\\x00' in string literal"},
		{"a line break in a string", "{\"clientId\": \"a\nb\"}", "not JSON (line 1, column 16): invalid character '\\n' in string literal"},
		{"XML", `<?xml version="1.0"?><a/>`, "not JSON (line 1, column 1): invalid character '<'"},
		{"a form", "clientId=x", "not JSON (line 1, column 1): invalid character 'c'"},
		{"a number too large to read", `{"x": 1` + strings.Repeat("0", 30000) + `}`, "x: unknown field"},
		{"30,000 lists in each other", `{"x": ` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, "exceeded max depth"},
	} {
		response, body := s.PostJSON(t, servertest.ClientsPath+"GetClient", token, tt.body)
		got := servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)}
		wantInvalid(t, tt.name, got, tt.message)
	}
	s.WantCalm(t)
}

// wrong are values that no field of a kind can take.
var wrong = map[protoreflect.Kind][]string{
	protoreflect.StringKind:  {`1`, `true`, `{}`, `[]`, `["x"]`},
	protoreflect.BoolKind:    {`"true"`, `1`, `0`, `{}`, `[]`, `"yes"`},
	protoreflect.BytesKind:   {`1`, `true`, `{}`, `[]`, `"*"`, `"A"`},
	protoreflect.Int32Kind:   {`"x"`, `1.5`, `true`, `{}`, `2147483648`, `-2147483649`, `1e99`, `"NaN"`, `""`},
	protoreflect.Int64Kind:   {`"x"`, `1.5`, `true`, `{}`, `9223372036854775808`, `-9223372036854775809`, `1e99`, `"NaN"`, `""`},
	protoreflect.MessageKind: {`1`, `true`, `{}`, `[]`, `"a,,b"`, `"a.B_c"`}, // neither a field mask nor a duration
}

func TestBody_ValueOfWrongType(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		fields := o.Method.Input().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			values := wrong[field.Kind()]
			if field.IsList() {
				values = []string{`1`, `"x"`, `{}`, `[1]`, `[[]]`, `[true]`, `[null]`}
			}
			if len(values) == 0 {
				t.Errorf("%s: no wrong values for field %s of kind %v", o, field.Name(), field.Kind())
			}
			for _, value := range values {
				body := fmt.Sprintf(`{%q: %s}`, field.JSONName(), value)
				response, answer := s.PostJSON(t, o.Procedure(), token, body)
				wantInvalid(t, o.String()+" "+body, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}, field.JSONName())
			}
		}
	}
	s.WantCalm(t)
}

func TestClientID_NotAUUID(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	const id = "550e8400-e29b-41d4-a716-446655440000"
	for _, o := range servertest.Operations(t) {
		if o.Method.Input().Fields().ByName("client_id") == nil {
			continue
		}
		for _, wrongID := range []string{
			"", "x", "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id + "0", id[1:], id + "\n", " " + id,
			strings.Replace(id, "5", "g", 1), strings.Replace(id, "5", "５", 1), strings.ReplaceAll(id, "-", "_"),
			id + "\x00", "' OR 1=1 --", "../" + id, strings.Repeat(id, 1000),
		} {
			response, answer := s.PostJSON(t, o.Procedure(), token, string(o.JSON(t, wrongID, "secret")))
			wantInvalid(t, fmt.Sprintf("%s of %.80q", o, wrongID), servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)}, "UUID")
		}
	}
	s.WantCalm(t)
}

func TestClientID_InCapitals(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.All...)
	for _, o := range servertest.Operations(t) {
		if string(o.Method.Name()) == "DeleteClient" {
			continue // after which there is nothing left to call
		}
		body := o.JSON(t, strings.ToUpper(client.GetClientId()), client.GetClientSecret())
		if response, answer := s.PostJSON(t, o.Procedure(), token, string(body)); response.StatusCode != http.StatusOK {
			t.Errorf("%s: got %s: %s", o, response.Status, answer)
		}
	}
	s.PostAs(t, token, servertest.ClientsPath+"DeleteClient", fmt.Sprintf(`{"clientId": %q}`, strings.ToUpper(client.GetClientId())))
}

func TestSettings_NotInteroperable(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, tt := range []struct{ name, config, message string }{
		{"a list", `[]`, `jsonConfig: must be an object, such as {"key": "value"}`},
		{"a string", `"x"`, `jsonConfig: must be an object, such as {"key": "value"}`},
		{"NaN", `{"x": NaN}`, "invalid character 'N' looking for beginning of value"},
		{"a number too large", `{"x": 1e999}`, "jsonConfig.x: must have no number beyond ±9007199254740992"},
		{"a name twice", `{"x": 1, "x": 2}`, "jsonConfig.x: must be given only once"},
		{"a NUL in a string", `{"x": "a\u0000"}`, "must not contain the character U+0000"},
		{"a NUL in a name", `{"x\u0000": 1}`, "must not contain the character U+0000"},
		{"a NUL deep inside", `{"x": [{"y": ["\u0000"]}]}`, "must not contain the character U+0000"},
		{"33 objects in each other", nest(33, `{"a":`, `}`), "must not be nested more than 32 levels deep"},
		{"32 lists in an object", `{"a":` + nest(32, `[`, `]`) + `}`, "must not be nested more than 32 levels deep"},
		{"5,000 objects in each other", nest(5000, `{"a":`, `}`), "must not be nested more than 32 levels deep"},
		{"10,000 lists in each other", `{"a":` + nest(9998, `[`, `]`) + `}`, "exceeded max depth"},
	} {
		response, body := s.PostJSON(t, servertest.ClientsPath+"CreateClient", token, withConfig(t, tt.config))
		wantInvalid(t, tt.name, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)}, tt.message)
	}
	s.PostAs(t, token, servertest.ClientsPath+"CreateClient", withConfig(t, nest(32, `{"a":`, `}`)))
	for _, protocol := range servertest.Protocols() {
		if _, err := s.Clients(protocol, token).ListClients(t.Context(), nil); err != nil {
			t.Errorf("list a client with 32 levels of settings over %s: %v", protocol.Name, err)
		}
	}
	s.WantCalm(t)
}

// nest is so many levels of JSON around a 1.
func nest(levels int, open, closing string) string {
	return strings.Repeat(open, levels) + "1" + strings.Repeat(closing, levels)
}

// withConfig is a good client whose one application has these settings.
func withConfig(t *testing.T, config string) string {
	t.Helper()
	members := servertest.Object(t, []byte(servertest.RequestJSON(t)))
	members["applicationBindings"] = []any{map[string]any{"applicationId": "app", "config": map[string]any{"jsonConfig": "HERE"}}}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), `"HERE"`, config, 1)
}

// wantInvalid fails the test unless a request was refused as invalid_argument,
// for a reason with these words.
func wantInvalid(t *testing.T, name string, got servertest.Reply, words string) {
	t.Helper()
	servertest.WantNoLeak(t, got)
	var refusal struct{ Code, Message string }
	if err := json.Unmarshal([]byte(got.Body), &refusal); err != nil {
		t.Errorf("%s: got status %d: %.500s", name, got.Status, got.Body)
		return
	}
	if got.Status != http.StatusBadRequest || refusal.Code != connect.CodeInvalidArgument.String() ||
		!strings.Contains(strings.ReplaceAll(refusal.Message, "\u00a0", " "), words) {
		t.Errorf("%s: got status %d, %s: %.500s\nwant invalid_argument: … %s", name, got.Status, refusal.Code, refusal.Message, words)
	}
}
