package reqctx_test

import (
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

// route is what the requests of these tests ask for.
var route = reqctx.Route{API: "xeonr", Method: "service/Method"}

// identified returns the context of a request that went through Identify and
// reached a handler of the route, and the header of its answer.
func identified(t *testing.T, change func(*http.Request)) (context.Context, http.Header) {
	t.Helper()
	return identifiedBehind(t, reqctx.Proxies{}, change)
}

// identifiedBehind is identified with proxies in front.
func identifiedBehind(t *testing.T, proxies reqctx.Proxies, change func(*http.Request)) (context.Context, http.Header) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	change(request)
	recorder := httptest.NewRecorder()
	var served *http.Request
	reqctx.Identify(proxies, route.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { served = r }))).ServeHTTP(recorder, request)
	return served.Context(), recorder.Header()
}

func TestIdentify_KeepsAHarmlessID(t *testing.T) {
	for name, tt := range map[string]struct {
		sent []string
		kept bool
	}{
		"none":                       {nil, false},
		"an empty one":               {[]string{""}, false},
		"every character allowed":    {[]string{"aZ09._-"}, true},
		"64 characters":              {[]string{strings.Repeat("x", 64)}, true},
		"65 characters":              {[]string{strings.Repeat("x", 65)}, false},
		"a space":                    {[]string{"a b"}, false},
		"a line break":               {[]string{"a\nb"}, false},
		"a line break at the end":    {[]string{"a\n"}, false},
		"a quotation mark":           {[]string{`a"b`}, false},
		"a letter that is not ASCII": {[]string{"é"}, false},
		"two, the first counts":      {[]string{"first", "second"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, header := identified(t, func(r *http.Request) { r.Header[reqctx.IDHeader] = tt.sent })
			id := reqctx.ID(ctx)
			if tt.kept && id != tt.sent[0] || !tt.kept && uuid.Validate(id) != nil {
				t.Errorf("got id %q", id)
			}
			if diff := cmp.Diff([]string{id}, header.Values(reqctx.IDHeader)); diff != "" {
				t.Errorf("in the answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentify_GivesEveryRequestItsOwnID(t *testing.T) {
	first, _ := identified(t, func(*http.Request) {})
	second, _ := identified(t, func(*http.Request) {})
	if reqctx.ID(first) == reqctx.ID(second) {
		t.Errorf("two requests have the id %s", reqctx.ID(first))
	}
	if got := reqctx.ID(t.Context()); got != "" {
		t.Errorf("outside a request: got id %q", got)
	}
}

// authenticated is ctx with the caller of a good token.
func authenticated(ctx context.Context, t *testing.T, scopes string) context.Context {
	t.Helper()
	const issuer, audience = "https://issuer.example.com", "clientsd"
	key := authtest.NewKey(t, "key-1")
	verifier, err := auth.NewVerifier(auth.Config{
		Audience: audience,
		Issuers: []auth.Issuer{{Name: issuer, Key: func(context.Context, auth.KeyRef) (crypto.PublicKey, error) {
			return &key.Private.PublicKey, nil
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	claims := authtest.With(authtest.Claims(issuer, audience, time.Now()), map[string]any{"scope": scopes})
	principal, err := verifier.Authenticate(ctx, http.Header{"Authorization": {"Bearer " + key.Sign(t, claims, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	return auth.WithPrincipal(ctx, principal)
}

func TestCaller_IsTheOneTheTokenNames(t *testing.T) {
	for name, tt := range map[string]struct{ remote, address string }{
		"IPv4":              {"192.0.2.1:1234", "192.0.2.1"},
		"IPv6":              {"[2001:db8::1]:1234", "2001:db8::1"},
		"no network at all": {"@", "@"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := identified(t, func(r *http.Request) {
				r.RemoteAddr = tt.remote
				r.Header.Set(reqctx.IDHeader, "call-1")
				r.Header.Set("X-Forwarded-For", "198.51.100.1") // anyone can claim that
			})
			want := oauthclient.Caller{
				Organisation: "acme", TokenOrganisation: "acme", Issuer: "https://issuer.example.com", Subject: "urn:xeonr:user:1",
				ClientID: "console", Admin: true, RequestID: "call-1", Address: tt.address, API: "xeonr",
			}
			if diff := cmp.Diff(want, reqctx.Caller(authenticated(ctx, t, "oauth:clients:read admin"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Without a token a caller belongs to no organisation, and so sees no client.
func TestCaller_WithoutTokenIsNobody(t *testing.T) {
	ctx, _ := identified(t, func(*http.Request) {})
	if diff := cmp.Diff(oauthclient.Caller{}, reqctx.Caller(ctx)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCaller_IsAdminByThatScopeOnly(t *testing.T) {
	for scopes, want := range map[string]bool{
		"admin": true, "oauth:clients:manage admin": true, "": false, "oauth:clients:manage": false, "Admin": false, "admin:read": false,
	} {
		if got := reqctx.Caller(authenticated(t.Context(), t, scopes)).Admin; got != want {
			t.Errorf("scopes %q: got Admin %v, want %v", scopes, got, want)
		}
	}
}

func TestRoute_NamesARequestInTheLog(t *testing.T) {
	for want, route := range map[string]reqctx.Route{
		"/logos/{file}":   {API: reqctx.NoAPI, Method: "/logos/{file}"},
		"no procedure":    {},
		"/service/Method": {API: "xeonr", Method: "service/Method", Rotates: true},
		"vigilo":          {API: "vigilo", Method: "/clients/{client_id}"},
	} {
		if got := route.String(); got != want {
			t.Errorf("%#v: got %q, want %q", route, got, want)
		}
	}
}

func TestRouteOf_IsWhatTheHandlerWasMountedWith(t *testing.T) {
	ctx, _ := identified(t, func(r *http.Request) { r.URL.Path = "/of/the/caller" })
	if got := reqctx.RouteOf(ctx); got != route {
		t.Errorf("got %+v, want %+v", got, route)
	}
	if got := reqctx.RouteOf(t.Context()); got != (reqctx.Route{}) {
		t.Errorf("outside a request: got %+v", got)
	}
}
