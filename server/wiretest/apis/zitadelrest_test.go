package apis_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"clientsd/server/servertest"
)

// A restCase is a request that differs in something from one that is right.
type restCase struct {
	name   string
	header []string // in pairs of name and value
	body   string
	status int
	words  string // what the message begins with
}

// testREST sends requests to the path of one client. The ones that are right
// must rotate its secret, the others must not.
func testREST(t *testing.T, cases []restCase) {
	t.Helper()
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token, rotations := s.Token(t, servertest.AllAPIs...), int64(0)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got := s.CallREST(t, http.MethodPost, servertest.ZitadelPath(servertest.Application, id), token, tt.body, tt.header...)
			if tt.status == http.StatusOK {
				rotations++
			} else {
				wantStatusOf(t, got, connect.CodeInvalidArgument, tt.words)
			}
			if got.Status != tt.status {
				t.Errorf("got status %d, want %d: %s", got.Status, tt.status, got.Body)
			}
		})
	}
	s.WantHistory(t, id, 1+rotations)
	s.WantCalm(t)
}

// wantStatusOf fails the test unless an answer is a google.rpc.Status without
// details and with a message that begins so.
func wantStatusOf(t *testing.T, got servertest.Reply, code connect.Code, words string) {
	t.Helper()
	body := servertest.Object(t, []byte(got.Body))
	message, _ := body["message"].(string)
	if !strings.HasPrefix(message, words) || message == "" {
		t.Errorf("got the message %q, want %q …", message, words)
	}
	servertest.WantJSON(t, got, got.Status, fmt.Sprintf(`{"code": %d, "message": %q, "details": []}`, code, message))
}

func TestZITADELREST_Bodies(t *testing.T) {
	testREST(t, []restCase{
		{"an empty object", nil, `{}`, 200, ""},
		{"nothing", nil, ``, 200, ""},
		{"an object in space", nil, " \r\n\t{ } \n", 200, ""},
		{"a field that nobody knows", nil, `{"unknown": {"deep": [1, null]}}`, 200, ""},
		{"what the path says already", nil, `{"projectId": "` + servertest.Application + `"}`, 200, ""},
		{"another project and app: the path wins", nil, `{"projectId": "other", "appId": "other"}`, 200, ""},
		{"the same by the names in the proto", nil, `{"project_id": "other", "app_id": "other"}`, 200, ""},

		{"half an object", nil, `{`, 400, "proto:"},
		{"null", nil, `null`, 400, "proto:"},
		{"a list", nil, `[]`, 400, "proto:"},
		{"a string", nil, `"{}"`, 400, "proto:"},
		{"a space", nil, ` `, 400, "proto:"},
		{"two objects", nil, `{} {}`, 400, "proto:"},
		{"a project that is a number", nil, `{"projectId": 1}`, 400, "proto:"},
		{"the same field twice", nil, `{"appId": "a", "appId": "b"}`, 400, "proto:"},
		{"bytes that are no UTF-8", nil, "{\"x\": \"\xff\"}", 400, "proto:"},
		{"half a surrogate pair", nil, `{"appId": "\ud800"}`, 400, "proto:"},
		{"a form", nil, `a=b`, 400, "proto:"},
		{"20,000 lists in each other", nil, `{"x": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400, "proto:"},
	})
}

func TestZITADELREST_Headers(t *testing.T) {
	typed := func(value string) []string { return []string{"Content-Type", value} }
	const form, errBrowser = "application/x-www-form-urlencoded", "a browser must send the body as application/json"
	testREST(t, []restCase{
		{"JSON in UTF-8", typed("application/json; charset=utf-8"), `{}`, 200, ""},
		{"JSON in UTF-8, in capitals", typed("Application/JSON; Charset=UTF-8"), `{}`, 200, ""},
		{"no type", typed(""), `{}`, 200, ""},
		{"the Accept of the documentation", []string{"Accept", "application/json"}, `{}`, 200, ""},
		{"JSON in UTF-16", typed("application/json; charset=utf-16"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"text", typed("text/plain"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"what curl sends by itself", typed(form), `{}`, 200, ""},
		{"the same without a body", typed(form), ``, 200, ""},
		{"the same in UTF-8, in capitals", typed("Application/X-WWW-Form-Urlencoded; Charset=UTF-8"), `{}`, 200, ""},
		{"the same with the fields of a form", typed(form), `appId=other`, 400, "proto:"},
		{"the same in UTF-16", typed(form + "; charset=utf-16"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"the same with a cookie", append(typed(form), "Cookie", "session=x"), `{}`, 415, errBrowser},
		{"the same with an empty cookie", append(typed(form), "Cookie", ""), `{}`, 415, errBrowser},
		{"the same from a page", append(typed(form), "Origin", "https://evil.example"), `{}`, 415, errBrowser},
		{"the same from a page that hides its origin", append(typed(form), "Origin", "null"), `{}`, 415, errBrowser},
		{"the same from the page of another site", append(typed(form), "Sec-Fetch-Site", "cross-site"), `{}`, 415, errBrowser},
		{"the same from the address bar", append(typed(form), "Sec-Fetch-Site", "none"), `{}`, 415, errBrowser},
		{"the same by a link", append(typed(form), "Sec-Fetch-Mode", "navigate"), `{}`, 415, errBrowser},
		{"the same from a frame", append(typed(form), "Sec-Fetch-Dest", "iframe"), `{}`, 415, errBrowser},
		{"JSON from a page", []string{"Origin", "https://console.example.com", "Sec-Fetch-Site", "cross-site", "Cookie", "session=x"}, `{}`, 200, ""},
		{"a form with files", typed("multipart/form-data; boundary=x"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"gRPC", typed("application/grpc"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"gRPC-Web", typed("application/grpc-web+proto"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"a Connect stream", typed("application/connect+json"), `{}`, 415, "the body must be application/json in UTF-8"},
		{"a type that is none", typed(";;="), `{}`, 415, "the body must be application/json in UTF-8"},

		{"no encoding, by name", []string{"Content-Encoding", "identity"}, `{}`, 200, ""},
		{"gzip", []string{"Content-Encoding", "gzip"}, string(servertest.Gzip(t, []byte(`{}`))), 415, "a compressed body is not accepted"},
		{"Brotli", []string{"Content-Encoding", "br"}, `{}`, 415, "a compressed body is not accepted"},
		{"an answer in gzip is asked for", []string{"Accept-Encoding", "gzip"}, `{}`, 200, ""},

		{"Connect's version", []string{"Connect-Protocol-Version", "1"}, `{}`, 200, ""},
		{"Connect's deadline", []string{"Connect-Timeout-Ms", "0"}, `{}`, 200, ""},
		{"a deadline of Connect that is none", []string{"Connect-Timeout-Ms", "soon"}, `{}`, 200, ""},
		{"gRPC's deadline", []string{"Grpc-Timeout", "0n"}, `{}`, 200, ""},
		{"Google's deadline", []string{"X-Server-Timeout", "0"}, `{}`, 200, ""},
		{"another method in the header", []string{"X-HTTP-Method-Override", "GET"}, `{}`, 200, ""},
	})
}

const noSuchPath = "not found: this API has POST /management/v1/projects/{project_id}/apps/{app_id}/oidc_config/_generate_client_secret only"

func TestZITADELREST_Paths(t *testing.T) {
	s := servertest.Start(t)
	const odd = `a/b%2F ü?#:*&.`
	request := servertest.Request()
	request.ApplicationId = proto.String(odd)
	id, oddID := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, request).GetClientId()
	token, right := s.Token(t, servertest.AllAPIs...), servertest.ZitadelPath(servertest.Application, id)
	for _, tt := range []struct {
		name, path string
		status     int
		message    string
	}{
		{"right", right, 200, ""},
		{"every character of both ids escaped", servertest.ZitadelPath(escapeAll(servertest.Application), escapeAll(id)), 200, ""},
		{"a project with a slash and an escape in it", servertest.ZitadelPath(url.PathEscape(odd), oddID), 200, ""},
		{"the same, every character escaped", servertest.ZitadelPath(escapeAll(odd), oddID), 200, ""},
		{"another app in the query", right + "?app_id=" + oddID + "&appId=" + oddID + "&project_id=other", 200, ""},
		{"a query that nobody knows", right + "?x=1&access_token=" + token, 200, ""},
		{"a query that is none", right + "?%zz&;", 200, ""},
		{"Connect's query", right + "?connect=v1&encoding=json", 200, ""},

		{"escaped twice", servertest.ZitadelPath(servertest.Application, strings.ReplaceAll(escapeAll(id), "%", "%25")), 404, "client not found"},
		{"a slash in the app", servertest.ZitadelPath(servertest.Application, "a%2Fb"), 404, "client not found"},
		{"a NUL in the app", servertest.ZitadelPath(servertest.Application, id+"%00"), 404, "client not found"},
		{"bytes that are no UTF-8", servertest.ZitadelPath(servertest.Application, "%ff"), 400, "the path must be UTF-8"},
		{"bytes that are no UTF-8 in the project", servertest.ZitadelPath("%c3", id), 400, "the path must be UTF-8"},
		{"an unknown method", strings.Replace(right, "_generate", "_revoke", 1), 404, noSuchPath},
		{"a slash at the end", right + "/", 404, noSuchPath},
		{"a verb at the end", right + ":cancel", 404, noSuchPath},
		{"up and down again", "/management/v1/projects/x/../" + servertest.Application + "/apps/" + id + "/oidc_config/_generate_client_secret", 404, noSuchPath},
		{"an escaped slash between the segments", strings.Replace(right, "/apps/", "%2Fapps%2F", 1), 404, noSuchPath},
		{"the prefix alone", "/management/v1/", 404, noSuchPath},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.CallREST(t, http.MethodPost, tt.path, token, "{}")
			message, _ := servertest.Object(t, []byte(got.Body))["message"].(string)
			if got.Status != tt.status || message != tt.message {
				t.Errorf("got status %d: %s\nwant %d: %s", got.Status, got.Body, tt.status, tt.message)
			}
		})
	}
	s.WantHistory(t, id, 7)
	s.WantHistory(t, oddID, 3)
	got := s.Send(t, servertest.RawPost(servertest.ZitadelPath(servertest.Application, "%zz"), "{}", servertest.JSONType, "Authorization: Bearer "+token))
	if servertest.WantNoLeak(t, got); got.Status != http.StatusBadRequest {
		t.Errorf("an escape that is none: got status %d: %s", got.Status, got.Body)
	}
	s.WantCalm(t)
}

// escapeAll escapes every byte, which no path needs and every path may have.
func escapeAll(text string) string {
	var escaped strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&escaped, "%%%02X", b)
	}
	return escaped.String()
}

func TestZITADELREST_OnlyPOSTRotates(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.AllAPIs...)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "post"} {
		t.Run(method, func(t *testing.T) {
			got := s.CallREST(t, method, servertest.ZitadelPath(servertest.Application, id), token, "")
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != http.MethodPost {
				t.Errorf("got status %d, Allow %q", got.Status, got.Header.Get("Allow"))
			}
			if method != http.MethodHead {
				wantStatusOf(t, got, connect.CodeUnimplemented, "only POST is allowed")
			}
		})
	}
	s.WantHistory(t, id, 1)
}

// Whoever has no token learns nothing of what is served.
func TestZITADELREST_TokenIsCheckedFirst(t *testing.T) {
	s := servertest.Start(t)
	want := servertest.RenderREST(servertest.Refusal{Code: connect.CodeUnauthenticated, Message: servertest.NoToken})
	for name, got := range map[string]servertest.Reply{
		"GET":                s.CallREST(t, http.MethodGet, servertest.ZitadelPath(servertest.Application, "x"), "", ""),
		"a body that is bad": s.CallREST(t, http.MethodPost, servertest.ZitadelPath(servertest.Application, "x"), "", "{"),
		"an unknown path":    s.CallREST(t, http.MethodPost, "/management/v1/unknown", "", "{}"),
		"a token in the query": s.CallREST(t, http.MethodPost,
			servertest.ZitadelPath(servertest.Application, uuid.NewString())+"?access_token="+s.Token(t, servertest.AllAPIs...), "", "{}"),
	} {
		t.Run(name, func(t *testing.T) { wantTold(t, got, want) })
	}
}
