package hostile_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"clientsd/server/servertest"
)

const (
	publicClients = servertest.ClientsPath + "GetPublicClients"
	nobodysID     = `{"clientId": ["550e8400-e29b-41d4-a716-446655440000"]}`
)

// wireCase is a request as it stands on the wire, and its answer.
type wireCase struct {
	name    string
	request string
	status  int
	words   string // in the answer
}

func testWire(t *testing.T, s *servertest.Server, cases []wireCase) {
	t.Helper()
	for _, tt := range cases {
		got := s.Send(t, tt.request)
		servertest.WantNoLeak(t, got)
		if got.Status != tt.status || !strings.Contains(got.Body, tt.words) {
			t.Errorf("%s: got status %d: %.300s\nwant %d: … %s", tt.name, got.Status, got.Body, tt.status, tt.words)
		}
	}
	s.WantCalm(t)
}

func TestHTTP_ConnectHeaders(t *testing.T) {
	t.Parallel()
	with := func(header ...string) string {
		return servertest.RawPost(publicClients, nobodysID, append(header, servertest.JSONType)...)
	}
	typed := func(contentType string) string { return servertest.RawPost(publicClients, nobodysID, contentType) }
	testWire(t, servertest.Start(t), []wireCase{
		{"version 1", with("Connect-Protocol-Version: 1"), 200, `{}`},
		{"no version", with(), 200, `{}`},
		{"version 2", with("Connect-Protocol-Version: 2"), 400, `"code":"invalid_argument"`},
		{"version 1.0", with("Connect-Protocol-Version: 1.0"), 400, `"code":"invalid_argument"`},
		{"a version that is no number", with("Connect-Protocol-Version: x"), 400, `"code":"invalid_argument"`},

		{"a timeout of 100 days", with("Connect-Timeout-Ms: 8640000000"), 200, `{}`},
		{"a negative timeout", with("Connect-Timeout-Ms: -1"), 400, "is negative"},
		{"a timeout of 11 digits", with("Connect-Timeout-Ms: 99999999999"), 400, "parse timeout"},
		{"a timeout that is no number", with("Connect-Timeout-Ms: soon"), 400, "parse timeout"},
		{"a timeout with a fraction", with("Connect-Timeout-Ms: 1.5"), 400, "parse timeout"},
		{"a hexadecimal timeout", with("Connect-Timeout-Ms: 0x10"), 400, "parse timeout"},
		// The status the protocol has for a deadline that has passed, as this one has.
		{"a timeout of zero", with("Connect-Timeout-Ms: 0"), 504, `"code":"deadline_exceeded"`},

		{"JSON in UTF-8", typed("Content-Type: application/json; charset=utf-8"), 200, `{}`},
		{"JSON in UTF-16", typed("Content-Type: application/json; charset=utf-16"), 415, ""},
		{"no type", typed(""), 415, ""},
		{"text", typed("Content-Type: text/plain"), 415, ""},
		{"XML", typed("Content-Type: application/xml"), 415, ""},
		{"a form", typed("Content-Type: application/x-www-form-urlencoded"), 415, ""},
		{"a form with files", typed("Content-Type: multipart/form-data; boundary=x"), 415, ""},
		// Streams and gRPC have their errors in an answer of status 200.
		{"a Connect stream", typed("Content-Type: application/connect+json"), 200, `"code":"unknown"`},
		{"gRPC of XML", typed("Content-Type: application/grpc+xml"), 200, ""},
		{"gRPC-Web in base64", typed("Content-Type: application/grpc-web-text"), 415, ""},
		{"a type that is no type", typed("Content-Type: \x01/;;="), 400, ""},

		// Connect answers unimplemented, with the encodings there are, and its
		// status for that is 501.
		{"Brotli", with("Content-Encoding: br"), 501, `unknown compression \"br\": supported encodings are gzip`},
		{"gzip in gzip", with("Content-Encoding: gzip, gzip"), 501, `supported encodings are gzip`},
		{"gzip that is none", with("Content-Encoding: gzip"), 400, `"code":"invalid_argument"`},
		{"no encoding, by name", with("Content-Encoding: identity"), 200, `{}`},
	})
}

func TestHTTP_GETIsForPublicClientsOnly(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	bearer := "Authorization: Bearer " + s.Token(t, servertest.All...)
	query := func(pairs ...string) string { return httpGet(publicClients + "?" + strings.Join(pairs, "&")) }
	message := "message=" + url.QueryEscape(nobodysID)
	cases := []wireCase{
		{"right", query("connect=v1", "encoding=json", message), 200, `{}`},
		{"no version", query("encoding=json", message), 200, `{}`},
		{"version 2", query("connect=v2", "encoding=json", message), 400, `"code":"invalid_argument"`},
		{"no message", query("connect=v1", "encoding=json"), 400, "missing message parameter"},
		{"an empty message", query("connect=v1", "encoding=json", "message="), 400, `"code":"invalid_argument"`},
		{"a message that is no JSON", query("connect=v1", "encoding=json", "message=x"), 400, `"code":"invalid_argument"`},
		{"a message that is no base64", query("connect=v1", "encoding=proto", "base64=1", "message=*"), 400, "the message in the query is not base64 for URLs"},
		{"no encoding", query("connect=v1", message), 415, ""},
		{"an unknown encoding", query("connect=v1", "encoding=xml", message), 415, ""},
		{"an unknown compression", query("connect=v1", "encoding=json", "compression=br", message), 501, "supported encodings are gzip"},
		{"gzip that is none", query("connect=v1", "encoding=json", "compression=gzip", message), 400, `"code":"invalid_argument"`},
		{"a query that is none", query("connect=v1", "encoding=%zz"), 415, ""},
	}
	for _, o := range servertest.Operations(t) {
		target := o.Procedure() + "?connect=v1&encoding=json&message=%7B%7D"
		if o.Procedure() != publicClients {
			cases = append(cases, wireCase{o.String(), httpGet(target, bearer), http.StatusMethodNotAllowed, ""})
		}
		for _, method := range []string{"HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get"} {
			request := strings.Replace(httpGet(target, bearer), "GET", method, 1)
			cases = append(cases, wireCase{method + " " + o.String(), request, http.StatusMethodNotAllowed, ""})
		}
	}
	testWire(t, s, cases)
}

func TestHTTP_UnknownPaths(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	bearer := "Authorization: Bearer " + s.Token(t, servertest.All...)
	call := func(target string) string { return servertest.RawPost(target, "{}", servertest.JSONType, bearer) }
	testWire(t, s, []wireCase{
		{"no service", call("/x.v1.Service/Method"), 404, ""},
		{"no method", call(servertest.ClientsPath + "Nope"), 404, ""},
		{"no method, without a token", servertest.RawPost(servertest.ClientsPath+"Nope", "{}", servertest.JSONType), 404, `"code":"unimplemented"`},
		{"the service alone", call(servertest.ClientsPath), 404, ""},
		{"the method of another service", call("/clientsd.v1.SecretsService/GetPublicClients"), 404, ""},
		{"a public method under a prefix", servertest.RawPost("/x"+publicClients, "{}", servertest.JSONType), 404, ""},
		{"a slash at the end", call(publicClients + "/"), 404, ""},
		{"in capitals", call(strings.ToUpper(publicClients)), 404, ""},
		{"in small letters, without a token", servertest.RawPost(strings.ToLower(publicClients), "{}", servertest.JSONType), 404, ""},
		{"an escaped slash", call(servertest.ClientsPath + "%2FGetClient"), 404, ""},
		{"a NUL", call(publicClients + "%00"), 404, ""},
		{"an escape that is none", call("/%zz"), 400, ""},
		{"up, escaped", httpGet("/logos/..%2f..%2fetc/passwd"), 404, ""},
		{"up, escaped twice", httpGet("/logos/%252e%252e/x"), 404, ""},
		{"a logo of nobody", httpGet("/logos/550e8400-e29b-41d4-a716-446655440000/x.png"), 404, ""},
		{"a logo of no client", httpGet("/logos/x/x.png"), 404, ""},
		{"a logo that is SQL", httpGet("/logos/550e8400-e29b-41d4-a716-446655440000/%27%20OR%201=1--.png"), 404, ""},
		{"up", call("/logos/../../etc/passwd"), 404, `"code":"unimplemented"`},
		{"up from another host", call("//evil.example/%2e%2e/x"), 404, `"code":"unimplemented"`},
		{"up from a service", call(servertest.ClientsPath + "../livez"), 404, `"code":"unimplemented"`},
		{"up from a method", call(publicClients + "/../GetClient"), 404, `"code":"unimplemented"`},
		{"Go's profiles", httpGet("/debug/pprof/"), 404, ""},
		{"Go's variables", httpGet("/debug/vars"), 404, ""},
	})
}

func TestHTTP_MalformedRequests(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	head := "POST " + publicClients + " HTTP/1.1\r\nHost: x\r\n" + servertest.JSONType + "\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(nobodysID))
	testWire(t, s, []wireCase{
		{"HTTP/1.0", strings.Replace(head+length+"\r\n"+nobodysID, "HTTP/1.1", "HTTP/1.0", 1), 200, `{}`},
		{"HTTP/1.0 without a host", "POST " + publicClients + " HTTP/1.0\r\n" + servertest.JSONType + "\r\n" + length + "\r\n" + nobodysID, 200, `{}`},
		{"HTTP/1.1 without a host", "POST " + publicClients + " HTTP/1.1\r\n" + servertest.JSONType + "\r\n" + length + "\r\n" + nobodysID, 400, "missing required Host header"},
		{"two hosts", head + "Host: y\r\n" + length + "\r\n" + nobodysID, 400, ""},
		{"a host that is none", "GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed Host header"},
		{"HTTP/3.0", "GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", 505, "unsupported protocol version"}, // RFC 9110, 15.6.6
		{"no version", "GET /livez\r\n\r\n", 400, ""},
		{"a version that is none", "GET /livez HTTX/1.1\r\nHost: x\r\n\r\n", 400, ""},
		{"a method that is none", "G@T /livez HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
		{"a header without a colon", "GET /livez HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n", 400, ""},
		{"a space before the colon", "GET /livez HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", 400, ""},
		{"a NUL in a header", "GET /livez HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n", 400, ""},
		{"a header that is folded", "GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 200, "ok"},
		{"a length that is negative", head + "Content-Length: -1\r\n\r\n", 400, ""},
		{"a length that is no number", head + "Content-Length: x\r\n\r\n", 400, ""},
		{"a length that overflows", head + "Content-Length: 99999999999999999999\r\n\r\n", 400, ""},
		{"two lengths", head + "Content-Length: 2\r\n" + length + "\r\n" + nobodysID, 400, ""},
		{"an unknown transfer encoding", head + "Transfer-Encoding: gzip\r\n\r\n", 501, "Unsupported transfer encoding"}, // RFC 9112, 6.1
		{"an unknown expectation", head + "Expect: x\r\n" + length + "\r\n" + nobodysID, 417, ""},
		{"chunks", chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(nobodysID), nobodysID), 200, `{}`},
		{"a chunk without a length", chunked + "ZZ\r\n{}\r\n0\r\n\r\n", 400, "the body of the request cannot be read to its end"},
		{"a chunk of negative length", chunked + "-2\r\n{}\r\n0\r\n\r\n", 400, "the body of the request cannot be read to its end"},
		{"a chunk longer than it says", chunked + "1\r\n{}\r\n0\r\n\r\n", 400, "the body of the request cannot be read to its end"},
		{"a chunk that overflows", chunked + "fffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400, "the body of the request cannot be read to its end"},
		{"the whole URL", "GET http://evil.example/livez HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ok"},
		{"a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 404, ""},
		{"an upgrade", "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, "ok"},
	})
	got := s.SendAndEnd(t, head+"Content-Length: 100\r\n\r\n{")
	if got.Status != http.StatusBadRequest || !strings.Contains(got.Body, "the body of the request cannot be read to its end") {
		t.Errorf("a body that breaks off: got status %d: %s", got.Status, got.Body)
	}
	s.WantCalm(t)
}

// httpGet writes a request with these lines of header.
func httpGet(target string, header ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: clients.example.com\r\nConnection: close\r\n" +
		strings.Join(append(header, "", ""), "\r\n")
}
