package oauthclient_test

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/server/oauthclient"
)

// fullCreate has a value in every field of a CreateInput.
func fullCreate() oauthclient.CreateInput {
	return oauthclient.CreateInput{
		Confidential: true, Name: "Name", RedirectURI: "https://example.com/callback", WebsiteURL: "https://example.com",
		Description: "Description", RefreshToken: true, Implicit: true, DeviceCode: true, Code: true, ManagedBuckets: true,
		ApplicationID: "app",
		Bindings: []oauthclient.Binding{
			{ApplicationID: "other", HasConfig: true, JSONConfig: map[string]any{"b": 1.5, "a": []any{"<", nil}}},
		},
		AllowedDelegators:    []string{"urn:example:1"},
		BackchannelLogoutURI: "https://example.com/back", BackchannelLogoutSessionRequired: true,
		FrontchannelLogoutURI: "https://example.com/front", FrontchannelLogoutSessionRequired: true,
		PostLogoutRedirectURIs: []string{"https://example.com/bye"}, Verified: true,
	}
}

func fullRotate() oauthclient.RotateInput {
	return oauthclient.RotateInput{
		ClientID: uuid.MustParse("550e8400-e29b-41d4-a716-446655440000"), ApplicationID: "app", IncludeSecret: true,
		Overlap: time.Hour, ReplacePrevious: true, ExpectedVersion: 7, Reason: "leaked",
	}
}

// Databases remember these: a release that computes others refuses to repeat the
// calls of the release before.
func TestFingerprint_Vectors(t *testing.T) {
	first := fullRotate()
	first.ReplacePrevious = false // the field came later
	for name, tt := range map[string]struct {
		method string
		input  any
		want   string
	}{
		"a rotation with everything":    {"rotate", fullRotate(), "880e67944f04d7228e9b26bfc09552645b831864baefbe0c92f787805e98b3f9"},
		"a rotation as it was at first": {"rotate", first, "77e4d1825d1dccbd9053de306e0656dbf3447416ac58b8ddcf6fd0881fbe6611"},
		"a rotation with a client only": {"rotate", oauthclient.RotateInput{ClientID: fullRotate().ClientID}, "3d59f5c2092c2ecec4b3eb898723645b190d0741ad29cd35300aecae41b7c904"},
		"a creation with everything":    {"create", fullCreate(), "74a5eb4c2602096ae1ec9d0b9d02f56983eb13b483d431a9e8cd9aa58a3a8ee5"},
		"a creation with nothing":       {"create", oauthclient.CreateInput{}, "1ffce53e00ab701eac6de15c60f39698f32d29d1d35d524a60c5fc9f24caf4d0"},
		"a creation with empty lists": {"create", oauthclient.CreateInput{
			Bindings: []oauthclient.Binding{}, AllowedDelegators: []string{}, PostLogoutRedirectURIs: []string{},
		}, "1ffce53e00ab701eac6de15c60f39698f32d29d1d35d524a60c5fc9f24caf4d0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := oauthclient.Fingerprint(tt.method, tt.input)
			if err != nil || hex.EncodeToString(got) != tt.want {
				t.Errorf("got %x, error %v, want %s", got, err, tt.want)
			}
		})
	}
}

// A field without part in the fingerprint would let another request pass for the
// same one.
func TestFingerprint_EveryFieldHasAPart(t *testing.T) {
	for method, full := range map[string]any{"create": fullCreate(), "rotate": fullRotate()} {
		before, err := oauthclient.Fingerprint(method, full)
		if err != nil {
			t.Fatal(err)
		}
		for i := range reflect.TypeOf(full).NumField() {
			field := reflect.TypeOf(full).Field(i)
			if field.Name == "Key" { // the key has a fingerprint of its own
				continue
			}
			changed := reflect.New(reflect.TypeOf(full)).Elem()
			changed.Set(reflect.ValueOf(full))
			if changed.Field(i).IsZero() {
				t.Errorf("%s: the test has no value for %s", method, field.Name)
			}
			changed.Field(i).SetZero()
			after, err := oauthclient.Fingerprint(method, changed.Interface())
			if err != nil || string(before) == string(after) {
				t.Errorf("%s without %s: the fingerprint is the same, error %v", method, field.Name, err)
			}
		}
	}
}

// Nobody finds the result of another caller's call.
func TestKeyFingerprint_EveryCallerHasItsOwn(t *testing.T) {
	key, err := oauthclient.ParseIdempotencyKey("deploy-4711")
	if err != nil {
		t.Fatal(err)
	}
	const want = "9bba92c3f196910a31632b2fab25514db1e3c76f02566b6fa1ed04963ef28052"
	if got := hex.EncodeToString(oauthclient.KeyFingerprint(acme, key)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, change := range map[string]func(*oauthclient.Caller){
		"issuer":                func(c *oauthclient.Caller) { c.Issuer += "x" },
		"subject":               func(c *oauthclient.Caller) { c.Subject += "x" },
		"client":                func(c *oauthclient.Caller) { c.ClientID += "x" },
		"organisation":          func(c *oauthclient.Caller) { c.Organisation += "x" },
		"organisation of token": func(c *oauthclient.Caller) { c.TokenOrganisation += "x" },
	} {
		other := acme
		change(&other)
		if got := hex.EncodeToString(oauthclient.KeyFingerprint(other, key)); got == want {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}
