package serving_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server"
	"clientsd/server/servertest"
)

const console = "https://console.example.com"

func allow(origins ...string) func(*server.Config) {
	return func(c *server.Config) { c.CORSOrigins = origins }
}

// preflight asks, as a browser would, whether a page may call with these headers.
func preflight(t *testing.T, s *servertest.Server, path, origin, headers string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", origin)
	request.Header.Set("Access-Control-Request-Method", http.MethodPost)
	request.Header.Set("Access-Control-Request-Headers", headers)
	response, body := servertest.Do(t, request)
	return response, string(body)
}

const (
	getClient = servertest.ClientsPath + "GetClient"
	usual     = "authorization,connect-protocol-version,connect-timeout-ms,content-type,x-request-id"
)

func TestCORS_ConfiguredOrigin(t *testing.T) {
	s := servertest.Start(t, allow("https://other.example.com", console))
	response, _ := preflight(t, s, getClient, console, usual)
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("preflight: got %s", response.Status)
	}
	header := response.Header
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      console,
		"Access-Control-Allow-Methods":     "POST",
		"Access-Control-Allow-Headers":     "authorization,connect-protocol-version,connect-timeout-ms,content-type,x-request-id",
		"Access-Control-Max-Age":           "7200",
		"Access-Control-Allow-Credentials": "",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("preflight: got %s %q, want %q", name, got, want)
		}
	}

	response, _ = s.Get(t, servertest.ClientsPath+"GetClient", "Origin", console)
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != console {
		t.Errorf("call: got Access-Control-Allow-Origin %q", got)
	}
	if got := response.Header.Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("call: got Access-Control-Allow-Credentials %q", got)
	}
	exposed := strings.Split(strings.ToLower(response.Header.Get("Access-Control-Expose-Headers")), ", ")
	for _, want := range []string{"grpc-status", "grpc-message", "grpc-status-details-bin", "www-authenticate", "retry-after", "x-request-id"} {
		if !slices.Contains(exposed, want) {
			t.Errorf("call: %s is not exposed, only %v", want, exposed)
		}
	}
	if !slices.Contains(response.Header.Values("Vary"), "Origin") {
		t.Errorf("call: got Vary %q", response.Header.Values("Vary"))
	}
}

func TestCORS_OtherOrigin(t *testing.T) {
	for name, tt := range map[string]struct {
		origins []string
		origin  string
		want    string
	}{
		"none is configured":          {nil, console, ""},
		"another is configured":       {[]string{"https://other.example.com"}, console, ""},
		"the same over plain text":    {[]string{console}, "http://console.example.com", ""},
		"the same on another port":    {[]string{console}, console + ":8443", ""},
		"one that ends like it":       {[]string{console}, "https://evil-console.example.com", ""},
		"one that begins like it":     {[]string{console}, console + ".evil.example", ""},
		"a page without an origin":    {[]string{console}, "null", ""},
		"all may, without being told": {[]string{"*"}, console, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Start(t, allow(tt.origins...))
			response, _ := preflight(t, s, getClient, tt.origin, usual)
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("preflight: got Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
			response, _ = s.Get(t, "/livez", "Origin", tt.origin)
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("call: got Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
		})
	}
}

// Each header that the server reads, and a page can set, is allowed.
func TestCORS_HeadersThatTheServerReads(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, allow(console))
	for _, name := range []string{
		"authorization", "content-type", "x-request-id", "idempotency-key", "x-zitadel-orgid",
		"traceparent", "tracestate",
		"connect-protocol-version", "connect-timeout-ms", "content-encoding", "connect-content-encoding", "connect-accept-encoding",
		"grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "x-grpc-web", "x-user-agent",
		"if-none-match", "if-modified-since", "if-range", "range",
	} {
		if response, body := preflight(t, s, getClient, console, name); response.Header.Get("Access-Control-Allow-Headers") != name {
			t.Errorf("%s: got %s: %s", name, response.Status, body)
		}
	}
	const all = "authorization,content-type,idempotency-key,traceparent,tracestate"
	if response, body := preflight(t, s, getClient, console, all); response.StatusCode != http.StatusNoContent {
		t.Errorf("several: got %s: %s", response.Status, body)
	}
}

func TestCORS_RefusedPreflightSaysWhy(t *testing.T) {
	t.Parallel()
	const (
		off    = "web pages of other origins may not call: the operator can allow some with --cors-origin"
		origin = "web pages of this origin may not call: the operator can allow it with --cors-origin"
		header = "a web page may call with GET and POST only, and only with headers that the server reads"
	)
	long := "https://" + strings.Repeat("x", 4000) + ".example"
	for name, tt := range map[string]struct {
		origins      []string
		from, header string
		message      string
		logged       string // the origin
	}{
		"off":                        {nil, console, usual, off, console},
		"off, a long origin":         {nil, long, usual, off, long[:300]},
		"another origin":             {[]string{"https://other.example.com"}, console, usual, origin, console},
		"a header that nobody reads": {[]string{console}, console, "authorization,x-unknown", header, ""},
		"a cookie":                   {[]string{console}, console, "cookie", header, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, allow(tt.origins...))
			for _, path := range []string{
				getClient, servertest.ClientsPath + "GetPublicClients", servertest.VigiloPath("x"),
				servertest.ZitadelPath("x", "y"), "/livez", "/nowhere", "/",
			} {
				response, body := preflight(t, s, path, tt.from, tt.header)
				if response.StatusCode != http.StatusForbidden || servertest.Object(t, []byte(body))["message"] != tt.message ||
					response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s: got %s: %s\n%v", path, response.Status, body, response.Header)
				}
			}
			s.Stop(t)
			var got []deniedPreflight
			for line := range strings.Lines(s.Logs.String()) {
				if strings.Contains(line, `"msg":"denied`) {
					var entry deniedPreflight
					if err := json.Unmarshal([]byte(line), &entry); err != nil {
						t.Fatal(err)
					}
					got = append(got, entry)
				}
			}
			var want []deniedPreflight
			if tt.logged != "" {
				want = []deniedPreflight{
					{"denied", "127.0.0.1", "preflight", tt.message, tt.logged, 0},
					{"denied more often", "127.0.0.1", "preflight", tt.message, "", 6},
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// deniedPreflight is a line of the log about refused preflights.
type deniedPreflight struct {
	Msg, Caller, Call, Reason, Origin string
	More                              int
}

// Only a preflight is answered instead of the call.
func TestCORS_OtherOPTIONSIsNoPreflight(t *testing.T) {
	t.Parallel()
	for _, s := range []*servertest.Server{servertest.Start(t), servertest.Start(t, allow(console))} {
		request := s.NewRequest(t, getClient, s.Token(t, servertest.All...), nil)
		request.Method = http.MethodOptions
		request.Header.Set("Origin", console)
		if response, body := servertest.Do(t, request); response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("got %s: %s", response.Status, body)
		}
	}
}
