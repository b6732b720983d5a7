package serving_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

const (
	regenerate = servertest.ClientsPath + "RegenerateSecret"
	sendJSON   = "send Content-Type: application/json, and a JSON object such as {} as the body"
	nothing    = "nothing is served at this path; GET / says what is served"
)

func meant(path string) string {
	return "nothing is served at this path, did you mean " + path + "? GET / says what is served"
}

// A request that is no call is answered in Connect's form, with what to send.
func TestUnknown_SaysWhatToSend(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, tt := range []struct {
		name, method, path, contentType string
		status                          int
		message                         string
	}{
		{"no content type", "POST", regenerate, "", 415, "the request has no Content-Type: " + sendJSON},
		{"what curl sends by itself", "POST", regenerate, "application/x-www-form-urlencoded", 415, "the Content-Type of the request is not one of this API: " + sendJSON},
		{"text", "POST", regenerate, "text/plain", 415, "the Content-Type of the request is not one of this API: " + sendJSON},
		{"GET of a call", "GET", regenerate, "", 405, "this procedure is called with POST: " + sendJSON},
		{"PUT of a call", "PUT", regenerate, "application/json", 405, "this procedure is called with POST: " + sendJSON},
		{"PUT of a call that has GET", "PUT", servertest.ClientsPath + "GetPublicClients", "application/json", 405, "this procedure is called with POST or GET: " + sendJSON},
		{"GET without a message", "GET", servertest.ClientsPath + "GetPublicClients", "", 415, "a GET has its message in the query, such as ?connect=v1&encoding=json&message=%7B%7D, and no body"},
		{"GET of health", "GET", "/grpc.health.v1.Health/Check", "", 405, "this procedure is called with POST: " + sendJSON},

		{"a slash at the end", "POST", regenerate + "/", "application/json", 404, meant(regenerate)},
		{"two slashes at the start", "POST", "/" + regenerate, "application/json", 404, meant(regenerate)},
		{"two slashes in the middle", "POST", "/xeonr.auth.api.v1.ClientsService//RegenerateSecret", "application/json", 404, meant(regenerate)},
		{"a dot", "POST", "/." + regenerate, "application/json", 404, meant(regenerate)},
		{"another method name", "POST", servertest.ClientsPath + "RotateSecret", "application/json", 404, meant(regenerate)},
		{"a misspelt method", "POST", servertest.ClientsPath + "RegenrateSecret", "application/json", 404, meant(regenerate)},
		{"a method in lower case", "POST", servertest.ClientsPath + "regenerateSecret", "application/json", 404, meant(regenerate)},
		{"the method alone", "POST", "/RegenerateSecret", "application/json", 404, meant(regenerate)},
		{"another name alone", "POST", "/RotateSecret", "application/json", 404, meant(regenerate)},
		{"another name in the style of REST", "GET", "/rotate-secret", "", 404, meant(regenerate)},
		{"a misspelt service", "POST", "/xeonr.auth.v1.ClientService/RegenerateSecret", "application/json", 404, meant(regenerate)},
		{"the other service", "POST", servertest.ClientsPath + "VerifySecret", "application/json", 404, meant(servertest.VerifySecretPath)},
		{"a prefix", "POST", "/api/v1" + regenerate, "application/json", 404, meant(regenerate)},
		{"a dot before the method", "POST", "/xeonr.auth.api.v1.ClientsService.ListClients", "application/json", 404, meant(servertest.ClientsPath + "ListClients")},
		{"the OpenAPI document in JSON", "GET", "/openapi.json", "", 404, meant("/openapi.yaml")},
		{"the keys elsewhere", "GET", "/oauth/jwks.json", "", 404, meant("/.well-known/jwks.json")},
		{"health by another name", "GET", "/healthz", "", 404, meant("/readyz")},
		{"health with a slash", "GET", "/readyz/", "", 404, meant("/readyz")},
		{"a method that there is not", "POST", servertest.ClientsPath + "Frobnicate", "application/json", 404, nothing},
		{"a service alone", "POST", servertest.ClientsPath, "application/json", 404, nothing},
		{"reflection without its method", "POST", "/grpc.reflection.v1.ServerReflection/List", "application/json", 404, nothing},
		{"nothing at all", "GET", "/favicon.ico", "", 404, nothing},
		{"only slashes", "GET", "//", "", 404, nothing},
		{"a long path", "POST", "/" + strings.Repeat("x", 8000) + "/RegenerateSecret", "application/json", 404, nothing},

		{"POST of a document", "POST", "/openapi.yaml", "application/json", 405, "this path is read with GET"},
		{"DELETE of a logo", "DELETE", "/logos/x/y.png", "", 405, "this path is read with GET"},
		{"POST of the root", "POST", "/", "application/json", 405, "this path is read with GET"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, token := range []string{token, ""} {
				if token == "" && tt.path == regenerate {
					continue // a call needs a token before anything else
				}
				request := s.NewRequest(t, tt.path, token, strings.NewReader("{}"))
				request.Method = tt.method
				request.Header.Del("Content-Type")
				if tt.contentType != "" {
					request.Header.Set("Content-Type", tt.contentType)
				}
				response, body := servertest.Do(t, request)
				got := servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)}
				code := "unknown"
				if tt.status == http.StatusNotFound {
					code = "unimplemented"
				}
				servertest.WantJSON(t, got, tt.status, `{"code": "`+code+`", "message": "`+tt.message+`"}`)
				if got.Header.Get("Content-Type") != "application/json; charset=utf-8" || got.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("got the header %v", got.Header)
				}
				servertest.WantNoLeak(t, got)
				if tt.status == http.StatusMethodNotAllowed && got.Header.Get("Allow") == "" {
					t.Error("the answer does not say which methods are allowed")
				}
				if tt.status == http.StatusUnsupportedMediaType && tt.method == "POST" && !strings.Contains(got.Header.Get("Accept-Post"), "application/json") {
					t.Errorf("got Accept-Post %q", got.Header.Get("Accept-Post"))
				}
			}
		})
	}
	s.WantCalm(t)
}

// What is not served by --api is not named.
func TestUnknown_NamesOnlyWhatIsServed(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.APIs = []string{"vigilo"} })
	for _, path := range []string{regenerate, "/RotateSecret", servertest.ClientsPath + "ListClients", "/management/v1/projects/x/apps/y/oidc_config/_generate_client_secret"} {
		response, body := s.PostJSON(t, path, "", "{}")
		if response.StatusCode != http.StatusNotFound || servertest.Object(t, body)["message"] != nothing {
			t.Errorf("%s: got %s: %s", path, response.Status, body)
		}
	}
}

// The callers of each protocol get the error in that protocol.
func TestUnknown_ProcedureInEveryProtocol(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		for _, path := range []string{"/clientsd.v1.SecretsService/VerifySecrets", "/clientsd.v2.SecretsService/VerifySecret"} {
			client := connect.NewClient[clientsdv1.VerifySecretRequest, clientsdv1.VerifySecretResponse](
				protocol.HTTPClient(), s.URL+path, protocol.Options()...)
			_, err := client.CallUnary(t.Context(), connect.NewRequest(&clientsdv1.VerifySecretRequest{}))
			servertest.WantError(t, err, connect.CodeUnimplemented, meant(servertest.VerifySecretPath))
		}
	})
}

func TestRoot_SaysWhatThisIs(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	response, body := s.Get(t, "/")
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %s, %v", response.Status, response.Header)
	}
	for _, o := range servertest.Operations(t) {
		if !strings.Contains(string(body), "POST "+o.Procedure()+"\n") {
			t.Errorf("%s is not listed", o)
		}
	}
	for _, want := range []string{"This is clientsd.", s.URL + "/SERVICE/METHOD", "docs/api.md", "/openapi.yaml", "/readyz", "/livez", "/.well-known/jwks.json"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in\n%s", want, body)
		}
	}
	request := s.NewRequest(t, "/", "", nil)
	request.Method = http.MethodHead
	head, empty := servertest.Do(t, request)
	if head.StatusCode != http.StatusOK || len(empty) > 0 || !slices.Equal(head.Header.Values("Content-Type"), response.Header.Values("Content-Type")) {
		t.Errorf("HEAD: got %s: %s", head.Status, empty)
	}
}
