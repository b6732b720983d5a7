package transport_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/typepb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	zitadelv1 "clientsd/gen/go/zitadel/v1"
	"clientsd/server/auth"
	"clientsd/server/transport"
)

const procedure = "/test.v1.TestService/Take"

// refusal sends JSON for a message to a handler of its own, and returns why it is
// refused. Empty: it is not.
func refusal[Message any](t *testing.T, body string, options ...connect.HandlerOption) string {
	t.Helper()
	stack := transport.NewStack(transport.Config{Rules: auth.Rules{procedure: {Public: true}}, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	handler := connect.NewUnaryHandlerSimple(procedure,
		func(context.Context, *Message) (*emptypb.Empty, error) { return &emptypb.Empty{}, nil }, append(stack.HandlerOptions(), options...)...)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	var refused struct{ Code, Message string }
	if err := json.Unmarshal(answer.Body.Bytes(), &refused); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if (answer.Code == http.StatusOK) != (refused.Code == "") || refused.Code != "" && refused.Code != "invalid_argument" {
		t.Errorf("got %d: %s", answer.Code, answer.Body)
	}
	return strings.TrimPrefix(refused.Message, "validation error: ")
}

// The requests of today have no fields of these kinds. Those of tomorrow may.
func TestJSON_FormOfEachKind(t *testing.T) {
	t.Parallel()
	const (
		moment = `createdAt: must be a string with a time of RFC 3339, such as "2026-01-31T12:00:00Z"`
		match  = `matched: must be one of "SECRET_MATCH_UNSPECIFIED", "SECRET_MATCH_CURRENT", "SECRET_MATCH_PREVIOUS", "SECRET_MATCH_NONE", such as "SECRET_MATCH_NONE"`
		client = `clients.a: must be an object, such as {"clientId": …}`
	)
	for _, tt := range []struct{ got, want string }{
		{refusal[apiv1.Client](t, `{"createdAt": "2026-01-31T12:00:00Z", "secretVersion": 1, "updatedAt": null}`), ""},
		{refusal[apiv1.Client](t, `{"createdAt": "yesterday"}`), moment},
		{refusal[apiv1.Client](t, `{"createdAt": 1769860800}`), moment},
		{refusal[clientsdv1.VerifySecretResponse](t, `{"matched": "SECRET_MATCH_NONE", "secretVersion": "1"}`), ""},
		{refusal[clientsdv1.VerifySecretResponse](t, `{"matched": 3}`), ""},
		{refusal[clientsdv1.VerifySecretResponse](t, `{"matched": "CURRENT"}`), match},
		{refusal[clientsdv1.VerifySecretResponse](t, `{"matched": true}`), match},
		{refusal[apiv1.GetPublicClientsResponse](t, `{"clients": {"a": {"clientId": "a"}, "b": {}}}`), ""},
		{refusal[apiv1.GetPublicClientsResponse](t, `{"clients": []}`), `clients: must be an object, such as {"key": {"clientId": …}}`},
		{refusal[apiv1.GetPublicClientsResponse](t, `{"clients": {"a": 1}}`), client},
		{refusal[apiv1.GetPublicClientsResponse](t, `{"clients": {"a b": {"clientID": "x"}}}`), "clients.clientID: unknown field, did you mean clientId?"},
		{refusal[zitadelv1.ObjectDetails](t, `{"sequence": -1}`), `sequence: must be a string with an integer of 64 bits that is not negative, such as "1"`},
		{refusal[emptypb.Empty](t, `{"x": 1}`), "x: unknown field"},
		{refusal[typepb.Field](t, `{"kind": "TYPE_DOUBLE", "packed": 1}`), "packed: must be true or false without quotes, such as true"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestJSON_IgnoreUnknownFields(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"x": {"y": [1]}, "x": 2, "createdAt": null}`: "",
		`{"x": 1, "secretVersion": "x"}`:               `secretVersion: must be a string with an integer of 64 bits, such as "1"`,
		`{"x": "\ud800"}`:                              "unmarshal message: the JSON is nested too deeply or has text that is not Unicode",
	} {
		if got := refusal[apiv1.Client](t, body, transport.IgnoreUnknownFields()); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// Whatever protojson cannot read is refused, and what it can is not called malformed.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"clientId": "x", "client_id": 1}`, `{"createdAt": "2026-01-31T12:00:00Z"}`, `{"createdAt": [null]}`, `[{}]`, `{"x": {}} {}`,
		`{"applicationBindings": [{"config": {"jsonConfig": {"a": [1e17, {"b": "\ud800"}], "a": 1}}}, null, 1]}`, "{\"name\": \"\xff\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		err := protojson.Unmarshal([]byte(body), &apiv1.Client{})
		got := refusal[apiv1.Client](t, body)
		if err != nil && got == "" || err == nil && strings.HasPrefix(got, "unmarshal message") {
			t.Errorf("got %q, protojson %v", got, err)
		}
	})
}
