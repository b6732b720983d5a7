package contract_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"clientsd/server/servertest"
)

// A limit is one value of one field. An empty refusal means that the value is
// accepted, and that the record then has it.
type limit struct {
	name  string
	field string
	value any
	// at is the field the refusal names, refusal its message.
	at, refusal string
}

// The limits of the contract, and ours where it has none, both on their edge
// and one over it. Lengths count characters: an emoji is one, in four bytes.
func limits() []limit {
	return slices.Concat(textLimits(), uriLimits(), listLimits(), []limit{
		{"an application of 128 characters", "applicationId", wide(128), "", ""},
		{"an application of 129 characters", "applicationId", wide(129), "application_id", "must be at most 128 characters"},
		{"a null application", "applicationId", nil, "", ""},
		{"an empty application", "applicationId", "", "", ""},
	})
}

func textLimits() []limit {
	return []limit{
		{"no name", "name", "", "name", "must be at least 1 characters"},
		{"a name of 1 character", "name", wide(1), "", ""},
		{"a name of 64 characters", "name", wide(64), "", ""},
		{"a name of 65 characters", "name", wide(65), "name", "must be at most 64 characters"},
		{"no description", "description", "", "description", "must be at least 1 characters"},
		{"a description of 1 character", "description", wide(1), "", ""},
		{"a description of 256 characters", "description", wide(256), "", ""},
		{"a description of 257 characters", "description", wide(257), "description", "must be at most 256 characters"},
	}
}

func uriLimits() []limit {
	const noURI, noWeb = "must be a valid URI", "must be https: http is allowed for a loopback host only"
	rows := []limit{
		{"no redirect URI", "redirectUri", "", "redirect_uri", "must be at least 1 characters; value is empty, which is not a valid URI"},
		{"a redirect URI of 256 characters", "redirectUri", uri(256), "", ""},
		{"a redirect URI of 257 characters", "redirectUri", uri(257), "redirect_uri", "must be at most 256 characters"},
		{"a redirect URI that is none", "redirectUri", "/callback", "redirect_uri", noURI},
		{"no website", "websiteUrl", "", "website_url", "must be at least 1 characters; value is empty, which is not a valid URI"},
		{"a website of 128 characters", "websiteUrl", uri(128), "", ""},
		{"a website of 129 characters", "websiteUrl", uri(129), "website_url", "must be at most 128 characters"},
		{"a website that is no URI", "websiteUrl", "example.com", "website_url", noURI},
	}
	for name, field := range map[string]string{
		"backchannelLogoutUri":  "backchannel_logout_uri",
		"frontchannelLogoutUri": "frontchannel_logout_uri",
	} {
		rows = append(rows, []limit{
			{"a null " + name, name, nil, "", ""},
			{"an empty " + name, name, "", "", ""},
			{name + " of 256 characters", name, uri(256), "", ""},
			{name + " of 257 characters", name, uri(257), field, "must be at most 256 characters"},
			{name + " that is no URI", name, "logout", field, "must be a URI or empty"},
			{name + " in plain text to localhost", name, "http://localhost:8080/logout", "", ""},
			{name + " in plain text to a loopback address", name, "http://127.0.0.1/logout", "", ""},
			{name + " in plain text to another host", name, "http://example.com/logout", field, noWeb},
			{name + " in plain text to a host like localhost", name, "http://localhost.example.com/", field, noWeb},
			{name + " of another scheme", name, "ftp://example.com/", field, "must be https, or http to a loopback host"},
		}...)
	}
	return rows
}

func listLimits() []limit {
	const tooMany, notUnique = "must contain no more than 100 items", "repeated value must contain unique items"
	binding := func(i int) any { return map[string]any{"applicationId": fmt.Sprint("app", i)} }
	client := func(i int) any { return fmt.Sprintf("550e8400-e29b-41d4-a716-%012d", i) }
	target := func(i int) any { return fmt.Sprint("https://example.com/", i) }
	named := func(id string) []any { return []any{map[string]any{"applicationId": id}} }
	return []limit{
		{"100 bindings", "applicationBindings", list(100, binding), "", ""},
		{"101 bindings", "applicationBindings", list(101, binding), "application_bindings", tooMany},
		{"a binding twice", "applicationBindings", []any{binding(1), binding(1)}, "application_bindings", "must name each applicationId once"},
		{"a binding of 128 characters", "applicationBindings", named(wide(128)), "", ""},
		{"a binding of 129 characters", "applicationBindings", named(wide(129)), "application_bindings[0].application_id", "must be at most 128 characters"},
		{"a binding to nothing", "applicationBindings", named(""), "application_bindings[0].application_id", "must be at least 1 characters"},
		{"100 delegators", "allowedDelegators", list(100, client), "", ""},
		{"101 delegators", "allowedDelegators", list(101, client), "allowed_delegators", tooMany},
		{"a delegator twice", "allowedDelegators", []any{client(1), client(1)}, "allowed_delegators", notUnique},
		{"a delegator that is no id", "allowedDelegators", []any{client(1), "x"}, "allowed_delegators[1]", "must be a valid UUID"},
		{"100 logout redirects", "postLogoutRedirectUris", list(100, target), "", ""},
		{"101 logout redirects", "postLogoutRedirectUris", list(101, target), "post_logout_redirect_uris", tooMany},
		{"a logout redirect twice", "postLogoutRedirectUris", []any{target(1), target(1)}, "post_logout_redirect_uris", notUnique},
		{"a logout redirect of 256 characters", "postLogoutRedirectUris", []any{uri(256)}, "", ""},
		{"a logout redirect of 257 characters", "postLogoutRedirectUris", []any{uri(257)}, "post_logout_redirect_uris[0]", "must be at most 256 characters"},
		{"a logout redirect that is no URI", "postLogoutRedirectUris", []any{"home"}, "post_logout_redirect_uris[0]", "must be a valid URI"},
	}
}

func TestCreateClient_Limits(t *testing.T) {
	s := servertest.Start(t)
	for _, tt := range limits() {
		t.Run(tt.name, func(t *testing.T) {
			body := servertest.Object(t, []byte(bareRequest))
			body[tt.field] = tt.value
			tt.check(t, s, "CreateClient", "Client", body)
		})
	}
}

func TestUpdateClient_Limits(t *testing.T) {
	s := servertest.Start(t)
	for _, tt := range limits() {
		if tt.field == "applicationId" {
			continue // never changes
		}
		t.Run(tt.name, func(t *testing.T) {
			id := s.Create(t, servertest.PublicRequest()).GetClientId()
			body := map[string]any{"clientId": id, tt.field: tt.value}
			if tt.value == nil { // without a mask a null is a field that is not set
				body["updateMask"] = tt.field
			}
			tt.check(t, s, "UpdateClient", "client", body)
		})
	}
}

// check sends the body and looks for the value in the record, or for the
// refusal.
func (l limit) check(t *testing.T, s *servertest.Server, method, record string, body map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	response, answer := s.PostJSON(t, servertest.ClientsPath+method, s.Token(t, servertest.All...), string(text))
	switch {
	case l.refusal != "":
		wantRefusal(t, response, answer, l.at, l.refusal)
	case response.StatusCode != http.StatusOK:
		t.Errorf("got %s: %s", response.Status, answer)
	default:
		got, ok := servertest.Member(t, servertest.Object(t, answer), record)[l.field]
		if isSet := l.value != nil && l.value != ""; ok != isSet || isSet && !cmp.Equal(l.value, got) {
			t.Errorf("the record has %s %v, want %v", l.field, got, l.value)
		}
	}
}

// wantRefusal fails the test unless the answer is invalid_argument and its
// violations are of this one field. Several messages are joined by "; ".
func wantRefusal(t *testing.T, response *http.Response, body []byte, field, message string) {
	t.Helper()
	var answer struct {
		Code    string
		Details []struct{ Type, Value string }
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Details) != 1 {
		t.Fatalf("got %s: %s (%v)", response.Status, body, err)
	}
	if response.StatusCode != http.StatusBadRequest || answer.Code != "invalid_argument" {
		t.Errorf("got %s with code %s, want 400 with invalid_argument", response.Status, answer.Code)
	}
	var violations validate.Violations
	value, err := base64.RawStdEncoding.DecodeString(answer.Details[0].Value)
	if err != nil || answer.Details[0].Type != "buf.validate.Violations" || proto.Unmarshal(value, &violations) != nil {
		t.Fatalf("got no violations: %s", body)
	}
	var messages []string
	for _, violation := range violations.GetViolations() {
		if got, field := servertest.FieldPath(violation), servertest.JSONName(field); got != field {
			t.Errorf("a violation names %q, want %q", got, field)
		}
		messages = append(messages, violation.GetMessage())
	}
	if got := strings.Join(messages, "; "); got != message {
		t.Errorf("got message %q, want %q", got, message)
	}
}

// wide is a text of so many characters, each of four bytes.
func wide(characters int) string { return strings.Repeat("🦊", characters) }

// uri is a URI of so many characters.
func uri(characters int) string {
	const start = "https://example.com/"
	return start + strings.Repeat("a", characters-len(start))
}

func list(length int, item func(int) any) []any {
	items := make([]any, length)
	for i := range items {
		items[i] = item(i)
	}
	return items
}
