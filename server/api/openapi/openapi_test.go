package openapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/auth"
	"clientsd/server/servertest"
)

func TestDocument_DescribesTheService(t *testing.T) {
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
	servers, _ := document["servers"].([]any)
	if first, _ := servers[0].(node); first["url"] != "/" {
		t.Errorf("the first server is %v, want the one that serves the document", first)
	}
}

func TestDocument_HasNamesOfItsOwnForOperations(t *testing.T) {
	var names []string
	for _, o := range operations(load(t)) {
		name, _ := o.node["operationId"].(string)
		if name == "" || strings.Contains(name, ".") || slices.Contains(names, name) {
			t.Errorf("%s %s has the name %q", o.method, o.path, name)
		}
		names = append(names, name)
	}
}

// The JSON of an answer has 64-bit numbers as strings. The plugin describes them
// as [integer, string], which generators of clients refuse.
func TestDocument_HasNoUnionOfTypes(t *testing.T) {
	walk("", load(t), func(place string, n node) {
		types := texts(n["type"])
		types = slices.DeleteFunc(types, func(name string) bool { return name == "null" })
		if len(types) > 1 {
			t.Errorf("%s is %v", place, types)
		}
		if n["format"] == "int64" && n["type"] != "string" && len(texts(n["type"])) == 0 {
			t.Errorf("%s is %v", place, n["type"])
		}
	})
}

func TestDocument_DescribesErrors(t *testing.T) {
	document := load(t)
	schema := at(document, "components", "schemas", "connect.error")
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
			response, answer := s.PostJSON(t, procedure, tt.token, tt.request)
			if response.StatusCode < http.StatusBadRequest {
				t.Errorf("got %s", response.Status)
			}
			for _, field := range undescribed(t, document, schema, answer) {
				t.Errorf("%s is not in the document", field)
			}
		})
	}
}

func TestHandler_AnswersEveryone(t *testing.T) {
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
