package hostile_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// The fields that hold a URI, as violations name them.
const (
	redirect     = "redirect_uri"
	website      = "website_url"
	backchannel  = "backchannel_logout_uri"
	frontchannel = "frontchannel_logout_uri"
	postLogout   = "post_logout_redirect_uris[0]"
)

// uriFields are all of them, and how each is set.
var uriFields = map[string]func(*apiv1.CreateClientRequest, string){
	redirect:     func(r *apiv1.CreateClientRequest, uri string) { r.RedirectUri = uri },
	website:      func(r *apiv1.CreateClientRequest, uri string) { r.WebsiteUrl = uri },
	backchannel:  func(r *apiv1.CreateClientRequest, uri string) { r.BackchannelLogoutUri = proto.String(uri) },
	frontchannel: func(r *apiv1.CreateClientRequest, uri string) { r.FrontchannelLogoutUri = proto.String(uri) },
	postLogout:   func(r *apiv1.CreateClientRequest, uri string) { r.PostLogoutRedirectUris = []string{uri} },
}

// uris says which fields take a URI; the others refuse it.
var uris = []struct {
	uri   string
	taken []string
}{
	// What everyone has.
	{"https://a.example/cb?x=1", allOf()},
	{"https://a.example", allOf()},
	{"HTTPS://A.EXAMPLE:8443/", allOf()},
	{"https://xn--pple-43d.com/", allOf()},
	{"https://[2001:db8::1]/", allOf()},
	{"http://localhost:8080/cb", allOf()},
	{"http://127.0.0.1/cb", allOf()},
	{"http://[::1]:3000/cb", allOf()},

	// What is for some only.
	{"http://a.example/", []string{website}},
	{"https://a.example/#about", []string{website}},
	{"com.example.app:/cb", []string{redirect, postLogout}},
	{"com.example.app://cb", []string{redirect, postLogout}},

	// Schemes that run, read or lead elsewhere.
	{"javascript:alert(1)", nil},
	{"JavaScript:alert(1)", nil},
	{"javascript://a.example/%0aalert(1)", nil},
	{"data:text/html,x", nil},
	{"data:text/html;base64,PHNjcmlwdD4=", nil},
	{"vbscript:x", nil},
	{"blob:https://a.example/1", nil},
	{"file:///etc/passwd", nil},
	{"about:blank", nil},
	{"intent://a.example#Intent;end", nil},
	{"ftp://a.example/", nil},
	{"mailto:a@a.example", nil},
	{"urn:ietf:wg:oauth:2.0:oob", nil},
	{"myapp:/cb", nil},

	// No absolute URI.
	{"a.example/cb", nil},
	{"//a.example/cb", nil},
	{"/cb", nil},
	{"?x", nil},
	{"#x", nil},
	{":", nil},
	{"https:", nil},
	{"https://", nil},
	{"https:///cb", nil},
	{"https:a.example", nil},
	{"https://:443/", nil},
	{"ht!tp://a.example/", nil},

	// Hosts that are not what they look like.
	{"https://user@a.example/", nil},
	{"https://user:password@a.example/", nil},
	{"https://a.example@evil.example/", nil},
	{"https://@a.example/", nil},
	{`https://a.example\@evil.example/`, nil},
	{"https://*/", nil},
	{"https://*.a.example/", nil},
	{"https://a.*.example/", nil},
	{"https://\u0430.example/", nil},
	{"https://%D0%B0.example/", nil},
	{"https://a.example\u2044@evil.example/", nil},
	{"https://a%2Eexample/", nil},
	{"https://a.example:x/", nil},
	{"https://[::1/", nil},
	{"https://[::g]/", nil},
	{"http://localhost.evil.example/", []string{website}},
	{"http://127.0.0.1.evil.example/", []string{website}},
	{"http://127.1/", nil},
	{"http://2130706433/", nil},
	{"http://0.0.0.0/", nil},
	{"https://a..b/", nil},
	{"https://a.example:99999/", nil},
	{"https://256.1.1.1/", nil},
	{"com.example.app:", nil},
	{"http://169.254.169.254/", []string{website}},

	// What would end a header or a page's attribute.
	{"https://a.example/\r\nSet-Cookie: x=1", nil},
	{"https://a.example/\n", nil},
	{"https://a.example/\t", nil},
	{"https://a.example/\x00", nil},
	{" https://a.example/", nil},
	{"https://a.example/ ", nil},
	{"https://a.example/a b", nil},
	{`https://a.example/"onload="x`, nil},
	{"https://a.example/<script>", nil},
	{"https://a.example/%", nil},
	{"https://a.example/%zz", nil},
	{"https://a.example/é", nil},
	{"https://a.example/" + strings.Repeat("a", 256), nil},
}

func allOf() []string { return []string{redirect, website, backchannel, frontchannel, postLogout} }

func TestURIs_Misleading(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	rpc := s.ClientsService(t)
	for _, tt := range uris {
		var refused []string
		request := servertest.Request()
		for field, set := range uriFields {
			if !slices.Contains(tt.taken, field) {
				set(request, tt.uri)
				refused = append(refused, field)
			}
		}
		if len(refused) > 0 {
			_, err := rpc.CreateClient(t.Context(), request)
			t.Run("refused: "+tt.uri, func(t *testing.T) { servertest.WantViolations(t, err, refused...) })
		}
	}
	s.WantCalm(t)
}

func TestURIs_KeptToTheByte(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, tt := range uris {
		request := servertest.Request()
		for _, field := range tt.taken {
			uriFields[field](request, tt.uri)
		}
		client := s.Create(t, request)
		for field, got := range map[string]string{
			redirect:     client.GetRedirectUri(),
			website:      client.GetWebsiteUrl(),
			backchannel:  client.GetBackchannelLogoutUri(),
			frontchannel: client.GetFrontchannelLogoutUri(),
			postLogout:   client.GetPostLogoutRedirectUris()[0],
		} {
			if slices.Contains(tt.taken, field) && got != tt.uri {
				t.Errorf("%s: got %q, want %q", field, got, tt.uri)
			}
		}
	}
}
