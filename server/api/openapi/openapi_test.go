package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/auth"
	"clientsd/server/servertest"
)

// regenerateSecret is the method as the page of the mirrored contract has it:
// every parameter, field and limit, and nothing more. The page has no limit for
// the application of a binding and says nothing of what is in an error's debug.
const regenerateSecret = `
operation: RegenerateSecret
scopes: oauth:clients:manage or oauth:clients:rotate
parameter Connect-Protocol-Version in header, required true: number, const 1, enum [1]
parameter Connect-Timeout-Ms in header, required <nil>: number
request: application/json, required true
request clientId: string, format uuid
request expectedSecretVersion: [integer string null], format int64, minimum 1
request includeSecret: boolean
request previousSecretValidFor: string, format duration
request reason: [string null], maxLength 256, pattern ^\P{Cc}*$
request, other fields: false
200: application/json
200 allowedDelegators[]: string
200 applicationBindings[].applicationId: string, maxLength 128, minLength 1, pattern ^\P{Cc}*$
200 applicationBindings[].config.jsonConfig: object, additionalProperties true
200 applicationBindings[].config, other fields: false
200 applicationBindings[], other fields: false
200 applicationId: [string null]
200 backchannelLogoutSessionRequired: boolean
200 backchannelLogoutUri: [string null]
200 clientId: string
200 clientSecret: [string null]
200 createdAt: string, format date-time
200 description: string
200 frontchannelLogoutSessionRequired: boolean
200 frontchannelLogoutUri: [string null]
200 isVerified: boolean
200 logoUrl: [string null]
200 name: string
200 postLogoutRedirectUris[]: string
200 previousSecretExpiresAt: string, format date-time
200 previousSecretLastUsedAt: string, format date-time
200 redirectUri: string
200 secretCreatedAt: string, format date-time
200 secretVersion: [integer string null], format int64
200 supportsCodeGrant: boolean
200 supportsDeviceCodeGrant: boolean
200 supportsImplicitGrant: boolean
200 supportsRefreshToken: boolean
200 updatedAt: string, format date-time
200 usesManagedBuckets: boolean
200 websiteUrl: string
200, other fields: false
default: application/json
default code: string, enum [canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable data_loss unauthenticated]
default details[].debug.violations[].field.elements[].fieldName: string
default details[].debug.violations[].field.elements[].fieldNumber: integer
default details[].debug.violations[].field.elements[].fieldType: string
default details[].debug.violations[].field.elements[].index: string
default details[].debug.violations[].message: string
default details[].debug.violations[].rule.elements[].fieldName: string
default details[].debug.violations[].rule.elements[].fieldNumber: integer
default details[].debug.violations[].rule.elements[].fieldType: string
default details[].debug.violations[].rule.elements[].index: string
default details[].debug.violations[].ruleId: string
default details[].debug.domain: string, const clientsd
default details[].debug.metadata.scope: string
default details[].debug.reason: string, enum [INSUFFICIENT_SCOPE CLIENT_NOT_FOUND CLIENT_EXISTS PUBLIC_CLIENT SECRET_VERSION_MISMATCH IDEMPOTENCY_KEY_IN_USE IDEMPOTENCY_MISMATCH SUPERSEDED SECRET_DAMAGED]
default details[].type: string, enum [buf.validate.Violations google.rpc.ErrorInfo]
default details[].value: string, contentEncoding base64
default details[], required fields: [type value]
default message: string
default, required fields: [code]
`

func TestRegenerateSecretIsWhatTheContractHas(t *testing.T) {
	document := load(t)
	method := at(document, "paths", "/xeonr.auth.api.v1.ClientsService/RegenerateSecret", "post")
	got := []string{fmt.Sprint("operation: ", method["operationId"]), "scopes: " + scopes(method)}
	got = append(got, parameters(document, method)...)
	got = append(got, body(document, "request", at(method, "requestBody"))...)
	got = append(got, body(document, "200", at(method, "responses", "200"))...)
	got = append(got, body(document, "default", at(method, "responses", "default"))...)
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(regenerateSecret), "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every procedure is described with the scopes that its rule asks for.
func TestScopesAreThoseOfTheRules(t *testing.T) {
	want := map[string]string{}
	for procedure, rule := range auth.NewRules("") {
		switch {
		case rule.Public:
			want[procedure] = ""
		case rule.Or != "":
			want[procedure] = rule.Scope + " or " + rule.Or
		default:
			want[procedure] = rule.Scope
		}
	}
	paths, got := at(load(t), "paths"), map[string]string{}
	for path := range paths {
		got[path] = scopes(at(paths, path, "post"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-rules +document):\n%s", diff)
	}
}

func TestCallersPresentABearerToken(t *testing.T) {
	document := load(t)
	scheme := at(document, "components", "securitySchemes", "accessToken")
	delete(scheme, "description")
	if diff := cmp.Diff(node{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}, scheme); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []any{"3.1.0", "clientsd", "v1", []any{node{"accessToken": []any{}}}}
	got := []any{document["openapi"], at(document, "info")["title"], at(document, "info")["version"], document["security"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the service really answers has no field that is not described.
func TestErrorsHaveTheShapeThatIsDescribed(t *testing.T) {
	document := load(t)
	known := map[string]bool{}
	for _, line := range lines(document, "error", at(document, "components", "schemas", "connect.error")) {
		name, _, _ := strings.Cut(line, ":")
		known[name] = true
	}
	s := servertest.Start(t)
	const procedure = "/xeonr.auth.api.v1.ClientsService/RegenerateSecret"
	unknown := `{"clientId": "550e8400-e29b-41d4-a716-446655440000"}`
	for name, tt := range map[string]struct{ token, request string }{
		"no token":          {"", unknown},
		"a missing scope":   {s.Token(t, auth.ScopeRead), unknown},
		"a bad id":          {s.Token(t, auth.ScopeManage), `{"clientId": "x"}`},
		"an unknown client": {s.Token(t, auth.ScopeManage), unknown},
	} {
		t.Run(name, func(t *testing.T) {
			_, answer := s.PostJSON(t, procedure, tt.token, tt.request)
			for _, name := range names(t, answer) {
				if !known[name] {
					t.Errorf("%q is in the answer and not in the document", name)
				}
			}
		})
	}
}

func TestDocumentIsServedToEveryone(t *testing.T) {
	s := servertest.Start(t)
	get := func(etag string) (*http.Response, []byte) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/openapi.yaml", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("If-None-Match", etag)
		return servertest.Do(t, request)
	}
	first, text := get("")
	want := []string{"200 OK", "application/yaml", "public, max-age=300"}
	got := []string{first.Status, first.Header.Get("Content-Type"), first.Header.Get("Cache-Control")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(string(text), "openapi: 3.1.0\n") {
		t.Errorf("got %.80q", text)
	}
	if again, text := get(first.Header.Get("Etag")); again.StatusCode != http.StatusNotModified || len(text) > 0 {
		t.Errorf("got %s with %d bytes for what the caller has, want 304", again.Status, len(text))
	}
}
