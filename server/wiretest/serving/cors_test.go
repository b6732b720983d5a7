package serving_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"clientsd/server"
	"clientsd/server/servertest"
)

const console = "https://console.example.com"

func allow(origins ...string) func(*server.Config) {
	return func(c *server.Config) { c.CORSOrigins = origins }
}

// preflight asks, as a browser would, whether a page may call with a token.
func preflight(t *testing.T, s *servertest.Server, origin string) http.Header {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+servertest.ClientsPath+"GetClient", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", origin)
	request.Header.Set("Access-Control-Request-Method", http.MethodPost)
	request.Header.Set("Access-Control-Request-Headers", "authorization,connect-protocol-version,connect-timeout-ms,content-type,x-request-id")
	response, _ := servertest.Do(t, request)
	return response.Header
}

func TestCORS_ConfiguredOrigin(t *testing.T) {
	s := servertest.Start(t, allow("https://other.example.com", console))
	header := preflight(t, s, console)
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

	response, _ := s.Get(t, servertest.ClientsPath+"GetClient", "Origin", console)
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
			if got := preflight(t, s, tt.origin).Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("preflight: got Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
			response, _ := s.Get(t, "/livez", "Origin", tt.origin)
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("call: got Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
		})
	}
}
