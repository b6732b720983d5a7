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
	badHost     = "must have a host that can be reached: a name of letters, digits and hyphens between single dots, or an IP address"
	badPort     = "must have a port from 1 to 65535"
	noPath      = "must have a path after a private-use scheme, such as com.example.app:/callback"
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

// nowhere is http to a host that nobody can reach.
func nowhere(text string) uriTest { return uriTest{text, plainText, plainText, badHost} }

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
	"every address":                      nowhere("http://0.0.0.0/"),
	"every address of IPv6":              nowhere("http://[::]/"),
	"an address as one number":           nowhere("http://2130706433/"),
	"an address in hexadecimal":          nowhere("http://0x7f.0.0.1/"),
	"an address that ends in hex":        nowhere("http://127.0.0.0x1/"),
	"an address with parts left out":     nowhere("http://127.1/"),
	"an address in octal":                nowhere("http://0177.0.0.1/"),
	"an address that is too large":       same("https://256.1.1.1/", badHost),
	"an address with a zone":             same("https://[fe80::1%25eth0]/", badHost),
	"two dots":                           same("https://a..b/", badHost),
	"a dot for a host":                   same("https://./", badHost),
	"a dot at the beginning":             same("https://.example.com/", badHost),
	"a dot at the end":                   same("https://example.com./", ""),
	"a hyphen at the beginning":          same("https://-a.example.com/", badHost),
	"a hyphen at the end":                same("https://a-.example.com/", badHost),
	"a label that is too long":           same("https://"+strings.Repeat("a", 64)+".example.com/", badHost),
	"a name that is too long":            same("https://"+strings.Repeat("a.", 126)+"abc/", badHost),
	"a name with a space":                same("https://a%20b/", notAbsolute),
	"a name with an underscore":          same("https://my_container/", ""),
	"a name with a semicolon":            same("https://a;b/", badHost),
	"a port that is too large":           same("https://example.com:99999/", badPort),
	"a port that is far too large":       same("https://example.com:99999999999999999999/", badPort),
	"port 0":                             same("https://example.com:0/", badPort),
	"an empty port":                      same("https://example.com:/", ""),
	"a private-use scheme alone":         {"com.example.app:", noPath, logoutScheme, websiteScheme},
	"a private-use scheme and a slash":   {"com.example.app:/", "", logoutScheme, websiteScheme},
	"a private-use scheme and slashes":   {"com.example.app://", noPath, logoutScheme, websiteScheme},
	"a private-use scheme and a name":    {"com.example.app:callback", "", logoutScheme, websiteScheme},
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
