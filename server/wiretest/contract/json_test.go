package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/auth"
	"clientsd/server/servertest"
)

// exampleRequest and exampleRecord are the example of the contract, as a client
// is registered and as its record then reads. What the server chooses, such as
// the id, stands as a pattern between slashes.
const (
	exampleRequest = `{
		"hasSecret": true,
		"name": "My OAuth App",
		"redirectUri": "https://myapp.example.com/oauth/callback",
		"supportsRefreshToken": true,
		"supportsImplicitGrant": true,
		"supportsDeviceCodeGrant": true,
		"supportsCodeGrant": true,
		"websiteUrl": "https://myapp.example.com",
		"description": "A sample OAuth application for demonstration purposes",
		"isVerified": true,
		"applicationId": "app_prod_myapp",
		"usesManagedBuckets": true,
		"applicationBindings": [
			{"applicationId": "app_prod_myapp", "config": {"jsonConfig": {"property1": {}, "property2": {}}}}
		],
		"allowedDelegators": ["550e8400-e29b-41d4-a716-446655440001"],
		"backchannelLogoutUri": "https://myapp.example.com/backchannel-logout",
		"backchannelLogoutSessionRequired": true,
		"frontchannelLogoutUri": "https://myapp.example.com/frontchannel-logout",
		"frontchannelLogoutSessionRequired": true,
		"postLogoutRedirectUris": ["https://myapp.example.com/logged-out"]
	}`
	exampleRecord = `{
		"clientId": "/` + uuidPattern + `/",
		"clientSecret": "/sk_live_[0-9A-Za-z]{49}/",
		"name": "My OAuth App",
		"redirectUri": "https://myapp.example.com/oauth/callback",
		"supportsRefreshToken": true,
		"supportsImplicitGrant": true,
		"supportsDeviceCodeGrant": true,
		"supportsCodeGrant": true,
		"websiteUrl": "https://myapp.example.com",
		"createdAt": "/` + timePattern + `/",
		"updatedAt": "/` + timePattern + `/",
		"description": "A sample OAuth application for demonstration purposes",
		"isVerified": true,
		"applicationId": "app_prod_myapp",
		"usesManagedBuckets": true,
		"applicationBindings": [
			{"applicationId": "app_prod_myapp", "config": {"jsonConfig": {"property1": {}, "property2": {}}}}
		],
		"allowedDelegators": ["550e8400-e29b-41d4-a716-446655440001"],
		"logoUrl": "/` + logoPattern + `/",
		"backchannelLogoutUri": "https://myapp.example.com/backchannel-logout",
		"backchannelLogoutSessionRequired": true,
		"frontchannelLogoutUri": "https://myapp.example.com/frontchannel-logout",
		"frontchannelLogoutSessionRequired": true,
		"postLogoutRedirectUris": ["https://myapp.example.com/logged-out"],
		"secretVersion": "/[0-9]+/",
		"secretCreatedAt": "/` + timePattern + `/"
	}`

	uuidPattern = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	timePattern = `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{3,9})?Z`
	logoPattern = `http://127.0.0.1:[0-9]+/logos/` + uuidPattern + `/[0-9a-f]{32}.png`
)

// bareRecord is a public client with nothing that can be left out: what is
// false or empty is written out, what may be null is absent.
const (
	bareRequest = `{
		"name": "Bare",
		"redirectUri": "https://bare.example.com/",
		"websiteUrl": "https://bare.example.com",
		"description": "Nothing but what is required"
	}`
	bareRecord = `{
		"clientId": "/` + uuidPattern + `/",
		"name": "Bare",
		"redirectUri": "https://bare.example.com/",
		"supportsRefreshToken": false,
		"supportsImplicitGrant": false,
		"supportsDeviceCodeGrant": false,
		"supportsCodeGrant": false,
		"websiteUrl": "https://bare.example.com",
		"createdAt": "/` + timePattern + `/",
		"updatedAt": "/` + timePattern + `/",
		"description": "Nothing but what is required",
		"isVerified": false,
		"usesManagedBuckets": false,
		"applicationBindings": [],
		"allowedDelegators": [],
		"backchannelLogoutSessionRequired": false,
		"frontchannelLogoutSessionRequired": false,
		"postLogoutRedirectUris": []
	}`
)

func TestJSON_ClientWithEveryField(t *testing.T) {
	s := servertest.Start(t)
	admin := s.Token(t, append([]string{auth.ScopeAdmin}, servertest.All...)...)
	call := func(method, body string) map[string]any {
		return s.PostAs(t, admin, servertest.ClientsPath+method, body)
	}
	created := call("CreateClient", exampleRequest)
	id, _ := servertest.Member(t, created, "Client")["clientId"].(string)
	secret := servertest.Object(t, []byte(exampleRecord))
	noSecret := without(secret, "clientSecret")

	wantJSON(t, "CreateClient", map[string]any{"Client": without(secret, "logoUrl")}, created)
	wantJSON(t, "UploadClientLogo", map[string]any{"logoUrl": secret["logoUrl"]}, call("UploadClientLogo", servertest.LogoUploadJSON(t, id)))
	for _, tt := range []struct {
		method, body string
		want         map[string]any
	}{
		{"RegenerateSecret", `{"clientId": %q, "includeSecret": true}`, secret},
		{"RegenerateSecret", `{"clientId": %q, "includeSecret": false}`, noSecret},
		{"RegenerateSecret", `{"clientId": %q}`, noSecret},
		{"GetClient", `{"clientId": %q, "includeSecret": true}`, map[string]any{"Client": secret}},
		{"GetClient", `{"clientId": %q}`, map[string]any{"Client": noSecret}},
		{"ListClients", `{}`, map[string]any{"Clients": []any{noSecret}}},
		{"ListClients", `{"applicationId": "app_prod_myapp"}`, map[string]any{"Clients": []any{noSecret}}},
		{"ListClients", `{"applicationId": "app_other"}`, map[string]any{"Clients": []any{}}},
		{"UpdateClient", `{"clientId": %q, "name": "My OAuth App"}`, map[string]any{"client": noSecret}},
		{"GetPublicClients", `{"clientId": [%q]}`, map[string]any{"clients": map[string]any{id: publicOf(secret)}}},
		{"DeleteClient", `{"clientId": %q}`, map[string]any{}},
	} {
		if strings.Contains(tt.body, "%q") {
			tt.body = fmt.Sprintf(tt.body, id)
		}
		wantJSON(t, tt.method+" "+tt.body, tt.want, call(tt.method, tt.body))
	}
}

func TestJSON_ClientWithRequiredFieldsOnly(t *testing.T) {
	s := servertest.Start(t)
	created := s.Post(t, servertest.ClientsPath+"CreateClient", bareRequest)
	id, _ := servertest.Member(t, created, "Client")["clientId"].(string)
	bare := servertest.Object(t, []byte(bareRecord))
	of := fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, id)

	wantJSON(t, "CreateClient", map[string]any{"Client": bare}, created)
	wantJSON(t, "GetClient", map[string]any{"Client": bare}, s.Post(t, servertest.ClientsPath+"GetClient", of))
	wantJSON(t, "GetPublicClients", map[string]any{"clients": map[string]any{id: publicOf(bare)}},
		s.Post(t, servertest.ClientsPath+"GetPublicClients", fmt.Sprintf(`{"clientId": [%q]}`, id)))
}

func TestJSON_VerifySecret(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	for secret, want := range map[string]string{
		client.GetClientSecret(): `{"valid": true, "matched": "SECRET_MATCH_CURRENT", "secretVersion": "1"}`,
		"wrong":                  `{"valid": false, "matched": "SECRET_MATCH_NONE", "secretVersion": "0"}`,
	} {
		got := s.Post(t, servertest.VerifySecretPath, fmt.Sprintf(`{"clientId": %q, "secret": %q}`, client.GetClientId(), secret))
		wantJSON(t, "VerifySecret", servertest.Object(t, []byte(want)), got)
	}
}

// The reference's own curl sends {}: it names no client.
func TestJSON_Error(t *testing.T) {
	s := servertest.Start(t)
	response, body := s.PostJSON(t, servertest.ClientsPath+"RegenerateSecret", s.Token(t, auth.ScopeManage), `{}`)
	if response.StatusCode != http.StatusBadRequest || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s of type %s", response.Status, response.Header.Get("Content-Type"))
	}
	var answer struct {
		Code, Message string
		Details       []map[string]any
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Code != "invalid_argument" || answer.Message != "validation error: clientId: value is empty, which is not a valid UUID" {
		t.Errorf("got %s: %s", answer.Code, answer.Message)
	}
	if len(answer.Details) != 1 || answer.Details[0]["type"] != "buf.validate.Violations" {
		t.Fatalf("got details %v", answer.Details)
	}
	if got := slices.Sorted(maps.Keys(answer.Details[0])); !slices.Equal(got, []string{"debug", "type", "value"}) {
		t.Errorf("got members %v of a detail", got)
	}
}

// publicOf is the public record of a client. Its isVerified is a string.
func publicOf(record map[string]any) map[string]any {
	public := map[string]any{"isVerified": fmt.Sprint(record["isVerified"])}
	for _, name := range []string{"clientId", "name", "websiteUrl", "logoUrl", "description", "createdAt", "applicationBindings"} {
		if value, ok := record[name]; ok {
			public[name] = value
		}
	}
	return public
}

func without(record map[string]any, name string) map[string]any {
	rest := maps.Clone(record)
	delete(rest, name)
	return rest
}

// wantJSON compares every member, and that there is no other. A wanted text
// between slashes is a pattern for the whole text that was got.
func wantJSON(t *testing.T, what string, want, got map[string]any) {
	t.Helper()
	match := cmp.FilterValues(func(a, b any) bool { return isPattern(a) || isPattern(b) },
		cmp.Comparer(func(a, b any) bool { return matches(a, b) || matches(b, a) }))
	if diff := cmp.Diff(want, got, match); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func isPattern(value any) bool {
	text, ok := value.(string)
	return ok && len(text) > 1 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/")
}

func matches(pattern, value any) bool {
	text, ok := value.(string)
	expression := "^" + strings.Trim(fmt.Sprint(pattern), "/") + "$"
	return ok && isPattern(pattern) && regexp.MustCompile(expression).MatchString(text)
}
