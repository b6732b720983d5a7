package oauthclient_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/oauthclient"
)

const (
	notAbsolute = "must be an absolute URI"
	plainText   = "must be https: http is allowed for a loopback host only"
	noHost      = "must name a host"
	fragment    = "must not have a fragment"
	credentials = "must not carry a user or password"
	wildcard    = "must not have a wildcard in its host"
	notASCII    = "must have its host in ASCII: an international name begins with xn--"

	redirectScheme = "must be https, http to a loopback host, or a private-use scheme with a dot"
	logoutScheme   = "must be https, or http to a loopback host"
	websiteScheme  = "must be https or http"
)

// A uriTest says what each of the three kinds of URI makes of a text.
type uriTest struct{ text, redirect, logout, website string }

// same is a text that all three refuse for one reason, or accept.
func same(text, problem string) uriTest { return uriTest{text, problem, problem, problem} }

// plain is http to a host that is not a loopback one: fit for a website only.
func plain(text string) uriTest { return uriTest{text, plainText, plainText, ""} }

// foreign is a scheme that only people's own software would open.
func foreign(text string) uriTest { return uriTest{text, redirectScheme, logoutScheme, websiteScheme} }

var uriTests = map[string]uriTest{
	"https":                              same("https://example.com/callback", ""),
	"https without a path":               same("https://example.com", ""),
	"https in capitals":                  same("HTTPS://EXAMPLE.COM/", ""),
	"a port, a path and a query":         same("https://example.com:8443/a/b?c=d&e", ""),
	"an address":                         same("https://192.0.2.1/", ""),
	"an international name, encoded":     same("https://xn--bcher-kva.example/", ""),
	"an international name":              same("https://bücher.example/", notASCII),
	"a letter that looks like another":   same("https://exаmple.com/", notASCII),
	"localhost":                          same("http://localhost/callback", ""),
	"localhost in capitals, with a port": same("http://LOCALHOST:8080/", ""),
	"a loopback address":                 same("http://127.0.0.1:49152/", ""),
	"another loopback address":           same("http://127.8.8.8/", ""),
	"the loopback address of IPv6":       same("http://[::1]:8080/", ""),
	"plain text":                         plain("http://example.com/"),
	"a name that begins with localhost":  plain("http://localhost.example.com/"),
	"a name that ends with localhost":    plain("http://notlocalhost/"),
	"localhost with a dot":               plain("http://localhost./"),
	"a name that begins with an address": plain("http://127.0.0.1.example.com/"),
	"every address":                      plain("http://0.0.0.0/"),
	"every address of IPv6":              plain("http://[::]/"),
	"an address as one number":           plain("http://2130706433/"),
	"an address in hexadecimal":          plain("http://0x7f.0.0.1/"),
	"an address with parts left out":     plain("http://127.1/"),
	"an address in octal":                plain("http://0177.0.0.1/"),
	"a private address":                  plain("http://10.0.0.1/"),
	"a private-use scheme":               {"com.example.app:/callback", "", logoutScheme, websiteScheme},
	"a private-use scheme with a host":   {"com.example.app://callback", "", logoutScheme, websiteScheme},
	"a private-use scheme in capitals":   {"COM.Example.App:/callback", "", logoutScheme, websiteScheme},
	"a scheme without a dot":             foreign("myapp://callback"),
	"a script":                           foreign("javascript:alert(1)"),
	"a script in capitals":               foreign("JavaScript:alert(1)"),
	"a document":                         foreign("data:text/html,<script>alert(1)</script>"),
	"a file":                             foreign("file:///etc/passwd"),
	"something of a browser":             foreign("blob:https://example.com/1"),
	"an older script":                    foreign("vbscript:x"),
	"a mail":                             foreign("mailto:a@example.com"),
	"a URN":                              foreign("urn:ietf:wg:oauth:2.0:oob"),
	"ftp":                                foreign("ftp://example.com/"),
	"nothing":                            {"", notAbsolute, "", notAbsolute},
	"a path":                             same("/callback", notAbsolute),
	"a host and a path":                  same("//example.com/callback", notAbsolute),
	"a name":                             same("example.com", notAbsolute),
	"a fragment":                         {"https://example.com/#a", fragment, fragment, ""},
	"an empty fragment":                  {"https://example.com/#", fragment, fragment, ""},
	"a fragment after a query":           {"https://example.com/?a#b", fragment, fragment, ""},
	"a fragment of a private-use scheme": {"com.example.app:/callback#a", fragment, fragment, websiteScheme},
	"a user":                             same("https://user@example.com/", credentials),
	"a user and a password":              same("https://user:password@example.com/", credentials),
	"a user that looks like a host":      same("http://localhost@example.com/", credentials),
	"an empty user":                      same("https://@example.com/", credentials),
	"a wildcard for a name":              same("https://*.example.com/", wildcard),
	"a wildcard for a host":              same("https://*/", wildcard),
	"a wildcard for a port":              same("https://example.com:*/", notAbsolute),
	"a wildcard in the path":             same("https://example.com/*", ""),
	"https without a host":               same("https:///callback", noHost),
	"https without slashes":              same("https:callback", noHost),
	"https with one slash":               same("https:/example.com", noHost),
	"a port without a host":              same("https://:8443/", noHost),
	"a space in the host":                same("https://exa mple.com/", notAbsolute),
	"a space before":                     same(" https://example.com/", notAbsolute),
	"a line break":                       same("https://example.com/\n", notAbsolute),
	"a NUL":                              same("https://example.com/\x00", notAbsolute),
	"a backslash in the host":            same(`https://example.com\@evil.example/`, notAbsolute),
	"a port that is no number":           same("https://example.com:port/", notAbsolute),
	"an escape that is none":             same("https://example.com/%zz", notAbsolute),
	"a bracket that is not closed":       same("https://[::1/", notAbsolute),
}

func TestURIs(t *testing.T) {
	for name, tt := range uriTests {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, "redirect_uri", tt.redirect, oauthclient.RedirectURI(tt.text))
			wantProblem(t, "logout_uri", tt.logout, oauthclient.LogoutURI(tt.text))
			wantProblem(t, "website_url", tt.website, oauthclient.WebsiteURL(tt.text))
		})
	}
}

func wantProblem(t *testing.T, rule, problem string, got []oauthclient.Violation) {
	t.Helper()
	var want []oauthclient.Violation
	if problem != "" {
		want = []oauthclient.Violation{{Field: "uri", Rule: rule, Message: problem}}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", rule, diff)
	}
}

// Whatever is accepted must be what a user agent may be sent to.
func FuzzRedirectURI(f *testing.F) {
	for _, tt := range uriTests {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(oauthclient.RedirectURI(text)) > 0 {
			return
		}
		parsed, err := url.Parse(text)
		if err != nil || parsed.User != nil || strings.ContainsAny(text, "#\x00\r\n") {
			t.Fatalf("accepted %q, which reads %v (%v)", text, parsed, err)
		}
		switch host := parsed.Hostname(); {
		case parsed.Scheme == "https" && host != "":
		case parsed.Scheme == "http" && isLoopback(host):
		case strings.Contains(parsed.Scheme, "."):
		default:
			t.Errorf("accepted %q with scheme %q and host %q", text, parsed.Scheme, host)
		}
	})
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.ToLower(host) == "localhost" || err == nil && address.IsLoopback()
}
