package commandline_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"
)

const (
	clients = "xeonr.auth.api.v1.ClientsService/"
	verify  = "clientsd.v1.SecretsService/VerifySecret"
	all     = "oauth:clients:manage oauth:clients:read oauth:clients:verify"
)

// settings are the fields of a confidential client as a caller sets them.
const settings = `"name": "My OAuth App",
	"redirectUri": "https://myapp.example.com/oauth/callback",
	"supportsRefreshToken": true,
	"supportsImplicitGrant": true,
	"supportsDeviceCodeGrant": true,
	"supportsCodeGrant": true,
	"websiteUrl": "https://myapp.example.com",
	"description": "A sample OAuth application for demonstration purposes",
	"isVerified": true,
	"applicationId": "app_prod_myapp",
	"usesManagedBuckets": true,
	"applicationBindings": [
		{"applicationId": "app_prod_myapp", "config": {"jsonConfig": {"property1": {}, "property2": {}}}}
	],
	"allowedDelegators": ["550e8400-e29b-41d4-a716-446655440001"],
	"backchannelLogoutUri": "https://myapp.example.com/backchannel-logout",
	"backchannelLogoutSessionRequired": true,
	"frontchannelLogoutUri": "https://myapp.example.com/frontchannel-logout",
	"frontchannelLogoutSessionRequired": true,
	"postLogoutRedirectUris": ["https://myapp.example.com/logged-out"]`

const (
	confidential = `{"hasSecret": true, ` + settings + `}`
	public       = `{"name": "Public", "redirectUri": "https://p.example.com/cb", "websiteUrl": "https://p.example.com", "description": "Has no secret"}`
)

// create registers a confidential client and returns its id and its secret.
func (s *service) create(t *testing.T, use tool, token string) (id, secret string) {
	t.Helper()
	record := member(t, use.mustCall(t, s, token, clients+"CreateClient", confidential), "Client")
	id, _ = record["clientId"].(string)
	secret, _ = record["clientSecret"].(string)
	if id == "" || secret == "" {
		t.Fatalf("CreateClient answers %v", record)
	}
	return id, secret
}

func (s *service) verify(t *testing.T, use tool, token, id, secret string) map[string]any {
	t.Helper()
	return use.mustCall(t, s, token, verify, fmt.Sprintf(`{"clientId": %q, "secret": %q}`, id, secret))
}

// upload gives the client a logo and returns its URL.
func (s *service) upload(t *testing.T, use tool, token, id string) string {
	t.Helper()
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	request := fmt.Sprintf(`{"clientId": %q, "contentType": "image/png", "logoData": %q}`, id, base64.StdEncoding.EncodeToString(logo.Bytes()))
	url, _ := use.mustCall(t, s, token, clients+"UploadClientLogo", request)["logoUrl"].(string)
	if !strings.HasPrefix(url, s.url) {
		t.Errorf("UploadClientLogo answers the URL %q", url)
	}
	return url
}

func member(t *testing.T, parent map[string]any, name string) map[string]any {
	t.Helper()
	value, ok := parent[name].(map[string]any)
	if !ok {
		t.Fatalf("no object %q in %v", name, parent)
	}
	return value
}
