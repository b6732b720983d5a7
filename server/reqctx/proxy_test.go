package reqctx_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"clientsd/server/reqctx"
)

func TestAddress_RightmostThatIsNoTrustedProxy(t *testing.T) {
	t.Parallel()
	proxies := reqctx.Proxies{
		Header:  "X-Forwarded-For",
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:aaaa::/48")},
	}
	for name, tt := range map[string]struct {
		peer string
		sent []string
		want string
	}{
		"no proxy":                           {"192.0.2.1:4711", nil, "192.0.2.1"},
		"no proxy, a header":                 {"192.0.2.1:4711", []string{"198.51.100.7"}, "192.0.2.1"},
		"no proxy, over IPv6":                {"[2001:db8::1]:4711", []string{"198.51.100.7"}, "2001:db8::1"},
		"a proxy without a header":           {"10.0.0.1:4711", nil, "10.0.0.1"},
		"a proxy with an empty header":       {"10.0.0.1:4711", []string{""}, "10.0.0.1"},
		"one proxy":                          {"10.0.0.1:4711", []string{"198.51.100.7"}, "198.51.100.7"},
		"one proxy, over IPv6":               {"[2001:db8:aaaa::1]:4711", []string{"2001:db8::7"}, "2001:db8::7"},
		"a caller that names another":        {"10.0.0.1:4711", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"a caller that names a proxy":        {"10.0.0.1:4711", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                        {"10.0.0.1:4711", []string{"203.0.113.9, 198.51.100.7,10.0.0.2"}, "198.51.100.7"},
		"two headers":                        {"10.0.0.1:4711", []string{"203.0.113.9", "198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"proxies only":                       {"10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"a port":                             {"10.0.0.1:4711", []string{"198.51.100.7:80"}, "198.51.100.7"},
		"IPv6 with a port":                   {"10.0.0.1:4711", []string{"[2001:db8::7]:80"}, "2001:db8::7"},
		"IPv6 in brackets":                   {"10.0.0.1:4711", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv4 in IPv6":                       {"[::ffff:10.0.0.1]:4711", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"IPv6 with a zone":                   {"10.0.0.1:4711", []string{"fe80::7%eth0"}, "fe80::7"},
		"a proxy that hides its caller":      {"10.0.0.1:4711", []string{"unknown"}, "10.0.0.1"},
		"a second proxy that hides it":       {"10.0.0.1:4711", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		"an entry that is long and no place": {"10.0.0.1:4711", []string{strings.Repeat("x", 8192)}, "10.0.0.1"},
		"a line break":                       {"10.0.0.1:4711", []string{"198.51.100.7\nforged"}, "10.0.0.1"},
		"a peer without an address":          {"@", []string{"198.51.100.7"}, "@"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := identifiedBehind(t, proxies, func(r *http.Request) {
				r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.sent
			})
			if got := reqctx.Address(ctx); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAddress_NobodyIsTrusted(t *testing.T) {
	t.Parallel()
	ctx, _ := identified(t, func(r *http.Request) {
		r.RemoteAddr = "10.0.0.1:4711"
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
	})
	if got := reqctx.Address(ctx); got != "10.0.0.1" {
		t.Errorf("got %s", got)
	}
}
