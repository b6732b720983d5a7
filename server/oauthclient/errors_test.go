package oauthclient_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/oauthclient"
)

func TestNewInvalid_NamesEveryField(t *testing.T) {
	if err := oauthclient.NewInvalid(); err != nil {
		t.Errorf("of nothing: got %v", err)
	}
	err := oauthclient.NewInvalid(
		oauthclient.Violation{Field: "name", Rule: "r1", Message: "must not be empty"},
		oauthclient.Violation{Field: "list[2]", Rule: "r2", Message: "must be a URI"},
	)
	var got *oauthclient.Error
	if !errors.As(err, &got) || got.Code != oauthclient.Invalid || got.Reason != "" || len(got.Violations) != 2 {
		t.Errorf("got %+v", got)
	}
	if want := "validation errors:\n - name: must not be empty\n - list[2]: must be a URI"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// Everything that is wrong with an input is said in one answer.
func TestCreate_NamesEveryInvalidField(t *testing.T) {
	w := newWorld(t, nil)
	in := input()
	in.Confidential, in.ManagedBuckets = false, true
	in.RedirectURI, in.WebsiteURL = "javascript:alert(1)", "ftp://example.com/"
	in.BackchannelLogoutURI, in.FrontchannelLogoutURI = "http://example.com/", "com.example:/"
	in.PostLogoutRedirectURIs = []string{"https://example.com/", "https://example.com/#"}
	in.Bindings = []oauthclient.Binding{{ApplicationID: "app", HasConfig: true, JSONConfig: map[string]any{"a": "\x00"}}}
	want := []oauthclient.Violation{
		{Field: "redirect_uri", Rule: "redirect_uri", Message: redirectScheme},
		{Field: "website_url", Rule: "website_url", Message: websiteScheme},
		{Field: "backchannel_logout_uri", Rule: "logout_uri", Message: plainText},
		{Field: "frontchannel_logout_uri", Rule: "logout_uri", Message: logoutScheme},
		{Field: "post_logout_redirect_uris[1]", Rule: "redirect_uri", Message: fragment},
		{Field: "application_bindings[0].config.json_config", Rule: "no_nul", Message: "must not contain the character U+0000"},
		{Field: "uses_managed_buckets", Rule: "confidential_only", Message: "only a confidential client may use managed buckets: set has_secret too"},
	}
	wantInvalid(t, want, func() error { _, err := w.Create(t.Context(), acme, in); return err })
}

func TestUpdate_NamesEveryInvalidField(t *testing.T) {
	w := newWorld(t, nil)
	record := w.create(t, input())
	before := w.row(t, record.ID)
	text := func(s string) *string { return &s }
	want := []oauthclient.Violation{
		{Field: "redirect_uri", Rule: "redirect_uri", Message: plainText},
		{Field: "website_url", Rule: "website_url", Message: websiteScheme},
		{Field: "backchannel_logout_uri", Rule: "logout_uri", Message: plainText},
		{Field: "frontchannel_logout_uri", Rule: "logout_uri", Message: logoutScheme},
		{Field: "post_logout_redirect_uris[0]", Rule: "redirect_uri", Message: redirectScheme},
		{Field: "application_bindings[0].config.json_config", Rule: "no_nul", Message: "must not contain the character U+0000"},
	}
	wantInvalid(t, want, func() error {
		_, err := w.Update(t.Context(), acme, record.ID, oauthclient.UpdateInput{
			Name: text("Renamed"), RedirectURI: text("http://example.com/"), WebsiteURL: text("urn:x"),
			BackchannelLogoutURI: text("http://example.com/"), FrontchannelLogoutURI: text("urn:x"),
			PostLogoutRedirectURIs: &[]string{"urn:x"},
			Bindings:               &[]oauthclient.Binding{{ApplicationID: "app", HasConfig: true, JSONConfig: map[string]any{"\x00": 1}}},
		})
		return err
	})
	w.wantUnchanged(t, before)
}

func wantInvalid(t *testing.T, want []oauthclient.Violation, call func() error) {
	t.Helper()
	var got *oauthclient.Error
	if err := call(); !errors.As(err, &got) || got.Code != oauthclient.Invalid {
		t.Fatalf("got error %v", err)
	}
	if diff := cmp.Diff(want, got.Violations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An error that goes out must not say more than it is meant to.
func TestErrors_WithoutDetails(t *testing.T) {
	for err, want := range map[*oauthclient.Error]string{
		oauthclient.ErrNotFound:      "client not found",
		oauthclient.ErrExists:        "a client with this id already exists",
		oauthclient.ErrPublicClient:  "client is public: it has no secret",
		oauthclient.ErrDamagedSecret: "the stored secret is damaged: rotate it",
	} {
		if err.Error() != want || err.Reason == "" || err.Reason != strings.ToUpper(err.Reason) || err.Code == 0 {
			t.Errorf("got %+v, want %s", err, want)
		}
	}
}
