package hostile_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"golang.org/x/net/http/httpguts"

	"clientsd/server"
	"clientsd/server/servertest"
)

// fuzzed is a request as a fuzzer spells it. Its header is lines of "Name: value".
type fuzzed struct {
	path, contentType, header string
	body                      []byte
}

// FuzzHandler sends anything to the whole server, with a token that may do
// everything. Whatever it is, the server must not be at fault: see wantBlameless.
func FuzzHandler(f *testing.F) {
	alarm := &alarm{}
	s := servertest.Start(f, func(c *server.Config) {
		c.Log = slog.New(slog.NewTextHandler(alarm, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	token := s.Token(f, servertest.ScopeManage, servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin, "client:manage", "project.app.write")
	client := s.Create(f, servertest.Request())
	for _, seed := range seeds(f, client.GetClientId(), client.GetClientSecret()) {
		f.Add(seed.path, seed.contentType, seed.header, seed.body)
	}
	f.Fuzz(func(t *testing.T, path, contentType, header string, body []byte) {
		request := (fuzzed{path, contentType, header, body}).request(t, s, token)
		if request == nil {
			return
		}
		response, err := servertest.HTTPClient(isGRPC(contentType)).Do(request)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("%s: read answer: %v", response.Status, err)
		}
		wantBlameless(t, response, answer)
		if said := alarm.take(); said != "" {
			t.Errorf("the server has logged: %s", said)
		}
	})
}

// wantBlameless fails the test if the answer says that the server is at fault.
// Three statuses from 500 up do not: an encoding that is not supported (501, in
// Connect), a deadline that the caller has set too early (504), and HTTP/1.1 for
// a stream that needs HTTP/2 (505). Nor does internal in gRPC, if it is about a
// frame that is broken: its specification wants that.
func wantBlameless(t *testing.T, response *http.Response, answer []byte) {
	t.Helper()
	allowed := []int{http.StatusNotImplemented, http.StatusGatewayTimeout, http.StatusHTTPVersionNotSupported}
	if response.StatusCode >= http.StatusInternalServerError && !slices.Contains(allowed, response.StatusCode) {
		t.Errorf("got %s: %.500s", response.Status, answer)
	}
	contentType := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK || !isGRPC(contentType) && !strings.HasPrefix(contentType, "application/grpc-web") {
		return
	}
	switch got := statusOf(t, response, answer); got.code {
	case connect.CodeUnknown, connect.CodeDataLoss, connect.CodeUnavailable:
		t.Errorf("got %v: %.500s", got.code, got.message)
	case connect.CodeInternal:
		if !strings.Contains(got.message, "protocol error: ") && !strings.Contains(got.message, "corrupt response: ") {
			t.Errorf("got %v: %.500s", got.code, got.message)
		}
	default:
	}
}

// request is nil for what no client can send: it is not about the server.
func (f fuzzed) request(t *testing.T, s *servertest.Server, token string) *http.Request {
	t.Helper()
	target, err := url.Parse(s.URL + "/" + strings.TrimPrefix(f.path, "/"))
	if err != nil || len(f.path) > 8<<10 || len(f.body) > 60<<10 || !httpguts.ValidHeaderFieldValue(f.contentType) {
		return nil
	}
	method := http.MethodPost
	if f.contentType == "" && len(f.body) == 0 {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(t.Context(), method, target.String(), bytes.NewReader(f.body))
	if err != nil {
		return nil
	}
	for line := range strings.SplitSeq(f.header, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if isSendable(name, value) {
			request.Header.Set(name, value)
		}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", f.contentType)
	return request
}

// isSendable leaves out what the client of the test acts upon itself.
func isSendable(name, value string) bool {
	own := []string{"Connection", "Proxy-Connection", "Keep-Alive", "Upgrade", "Transfer-Encoding", "Te", "Trailer", "Expect", "Host"}
	return httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value) && len(value) < 4<<10 &&
		!slices.Contains(own, http.CanonicalHeaderKey(name))
}

func isGRPC(contentType string) bool {
	return contentType == grpcType || strings.HasPrefix(contentType, grpcType+"+")
}

// seeds are good requests of every method in every protocol, and some others.
func seeds(f *testing.F, clientID, secret string) []fuzzed {
	f.Helper()
	gzipped := "Content-Encoding: gzip\nGrpc-Encoding: gzip\nConnect-Protocol-Version: 1\nConnect-Timeout-Ms: 1000\nGrpc-Timeout: 1S"
	found := []fuzzed{
		{"/livez", "", "", nil},
		{"/logos/" + clientID + "/x.png", "", "If-None-Match: *\nRange: bytes=0-", nil},
		{publicClients + "?connect=v1&encoding=json&message=" + url.QueryEscape(nobodysID), "", "Accept-Encoding: gzip", nil},
		{publicClients + "?connect=v1&encoding=proto&base64=1&compression=gzip&message=AAAA", "", "", nil},
		{"/management/v1/projects/p/apps/" + clientID + "/oidc_config/_generate_client_secret", "application/json", "", []byte(`{}`)},
		{"/client/" + clientID + "/regenerate-secret", "application/json", "", []byte(`{"client_id": "x"}`)},
		{healthCheck, grpcType, "", frame(0, nil)},
		{reflection, grpcType, "", frame(0, []byte{0x3a, 0x00})},
		{servertest.ClientsPath + "UpdateClient", "application/json", "", []byte(`{"clientId": "` + clientID + `", "updateMask": "name,logoUrl"}`)},
	}
	for _, body := range []string{
		`{"clientId": [], "client_id": {}, "clientID": null, "updateMask": "redirect_uri,", "allowedDelegators": ["\ud800", 1]}`,
		`{"applicationBindings": [{"applicationId": 0, "config": {"jsonConfig": {"a": [9007199254740993, 1e400, {"a": 1, "a": 2}]}}}, null]}`,
		`{"applicationBindings": [{"applicationId": "a", "config": {"jsonConfig": {"a": [1e17, {"b": -1.5e300}]}}}]}`,
	} {
		found = append(found, fuzzed{servertest.ClientsPath + "UpdateClient", "application/json", "", []byte(body)})
	}
	for _, o := range servertest.Operations(f) {
		message, text := marshal(f, o.Request(f, clientID, secret)), o.JSON(f, clientID, secret)
		found = append(found,
			fuzzed{o.Procedure(), "application/json", "Connect-Protocol-Version: 1", text},
			fuzzed{o.Procedure(), "application/proto", "Content-Encoding: gzip", servertest.Gzip(f, message)},
			fuzzed{o.Procedure(), grpcType, gzipped, frame(1, servertest.Gzip(f, message))},
			fuzzed{o.Procedure(), grpcWebType, "", frame(0, message)},
			fuzzed{o.Procedure(), grpcType + "+json", "", frame(0, text)},
		)
	}
	return found
}

// alarm is a log that keeps only what no request should bring about.
type alarm struct {
	mu   sync.Mutex
	said strings.Builder
}

// Write keeps a line that is an error or tells of a panic.
func (a *alarm) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte("level=ERROR")) && !bytes.Contains(line, []byte("panic")) {
		return len(line), nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said.Write(line)
}

func (a *alarm) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.said.Reset()
	return a.said.String()
}
