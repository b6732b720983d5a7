package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

const maskable = "name, redirect_uri, website_url, description, supports_refresh_token, supports_implicit_grant, " +
	"supports_device_code_grant, supports_code_grant, application_bindings, allowed_delegators, logo_url, " +
	"backchannel_logout_uri, backchannel_logout_session_required, frontchannel_logout_uri, " +
	"frontchannel_logout_session_required, post_logout_redirect_uris, is_verified"

// A mask that names one wrong field changes nothing at all. (JSON could not
// carry most of these masks, so they go as proto.)
func TestUpdateClient_InvalidMask(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	before := s.Row(t, made.GetClientId())
	binary := s.Clients(servertest.Protocols()[1], s.Token(t, servertest.All...))
	refusals := map[string]string{}
	for _, path := range []string{
		"client_id", "client_secret", "created_at", "updated_at", "application_id", "uses_managed_buckets", "has_secret", "update_mask",
	} {
		refusals[path] = fmt.Sprintf("%q is immutable", path)
	}
	for _, path := range []string{
		"owner", "organisation", "revision", "secret_digest", // nothing a caller ever sees
		"redirectUri", "Name", " name", "name ", "", "*", ".", // not quite a name
		"application_bindings.config", "application_bindings[0]", "update_mask.paths", "name.first", // nested
	} {
		refusals[path] = fmt.Sprintf("%q is not a field of a client; allowed are %s", path, maskable)
	}
	// A path that may be a secret is not quoted.
	refusals[made.GetClientSecret()] = "a path that is not shown is not a field of a client; allowed are " + maskable
	for path, want := range refusals {
		t.Run(path, func(t *testing.T) {
			_, err := binary.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{
				ClientId: made.GetClientId(), Name: proto.String("Renamed"),
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name", path}},
			})
			servertest.WantError(t, err, connect.CodeInvalidArgument, "validation error: update_mask: "+want)
			servertest.WantViolations(t, err, "update_mask")
		})
	}
	servertest.WantSameRow(t, before, s.Row(t, made.GetClientId()))
	s.WantEvents(t, made.GetClientId(), "created 1 released")
}

func TestUpdateClient_InvalidMaskNamesEveryFault(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	_, err := s.Clients(servertest.Protocols()[1], s.Token(t, servertest.All...)).UpdateClient(t.Context(), &apiv1.UpdateClientRequest{
		ClientId: id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"created_at", "name", "owner"}},
	})
	servertest.WantError(t, err, connect.CodeInvalidArgument, "validation error: update_mask: \"created_at\" is immutable; "+
		"\"name\" is named but not set, and may not be empty; "+
		"\"owner\" is not a field of a client; allowed are "+maskable)
}

// In JSON a mask is one text, and its names are those of the JSON members.
func TestUpdateClient_MaskThatJSONCannotSpell(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	for name, mask := range map[string]string{
		"names as in proto":  `"redirect_uri"`,
		"a list":             `["name"]`,
		"a number":           `1`,
		"an immutable field": `"clientSecret"`,
		"a nested field":     `"applicationBindings.config"`,
		"an unknown field":   `"owner"`,
		"a comma too many":   `"name,"`,
		"a space":            `"name, description"`,
	} {
		t.Run(name, func(t *testing.T) {
			response, body := s.PostJSON(t, servertest.ClientsPath+"UpdateClient", s.Token(t, servertest.All...),
				`{"clientId": "`+id+`", "name": "Renamed", "redirectUri": "https://renamed.example.com/", "updateMask": `+mask+`}`)
			if response.StatusCode != http.StatusBadRequest || !strings.HasPrefix(string(body), `{"code":"invalid_argument","message":`) {
				t.Errorf("got %s: %s", response.Status, body)
			}
		})
	}
	s.WantEvents(t, id, "created 1 released")
}

func TestUpdateClient_Logo(t *testing.T) {
	u := startUpdate(t)
	const refusal = "must be empty, which removes the logo, or the URL the logo has; UploadClientLogo sets one"
	other := u.UploadLogo(t, u.Create(t, servertest.Request()).GetClientId())
	for name, tt := range map[string]struct {
		change  string // OLD stands for the URL the logo has
		removed bool
		refusal string
	}{
		"an empty URL removes it":                         {`"logoUrl": ""`, true, ""},
		"an empty URL named by the mask removes it":       {`"logoUrl": "", "updateMask": "logoUrl"`, true, ""},
		"a mask that names the unset URL removes it":      {`"updateMask": "logoUrl"`, true, ""},
		"a null without a mask leaves it":                 {`"logoUrl": null`, false, ""},
		"the URL it has leaves it":                        {`"logoUrl": "OLD"`, false, ""},
		"the URL it has, named by the mask, leaves it":    {`"logoUrl": "OLD", "updateMask": "logoUrl"`, false, ""},
		"an empty URL that the mask leaves out":           {`"logoUrl": "", "updateMask": "isVerified"`, false, ""},
		"a foreign URL that the mask leaves out":          {`"logoUrl": "https://example.com/x.png", "updateMask": "isVerified"`, false, ""},
		"a foreign URL is refused":                        {`"logoUrl": "https://example.com/x.png", "name": "Renamed"`, false, refusal},
		"another client's logo is refused":                {`"logoUrl": "` + other + `", "name": "Renamed"`, false, refusal},
		"the URL it has with something behind is refused": {`"logoUrl": "OLD?x", "name": "Renamed"`, false, refusal},
	} {
		t.Run(name, func(t *testing.T) {
			id := u.Create(t, servertest.Request()).GetClientId()
			old := u.UploadLogo(t, id)
			body := `{"clientId": "` + id + `", ` + strings.ReplaceAll(tt.change, "OLD", old) + `}`
			response, answer := u.PostJSON(t, servertest.ClientsPath+"UpdateClient", u.Token(t, servertest.All...), body)
			if tt.refusal != "" {
				wantRefusal(t, response, answer, "logo_url", tt.refusal)
			} else if response.StatusCode != http.StatusOK {
				t.Errorf("got %s: %s", response.Status, answer)
			}
			u.wantLogo(t, id, old, !tt.removed)
		})
	}
}

// wantLogo fails the test unless the client, which had a logo at a URL, has it
// still, or not any more.
func (u updateTest) wantLogo(t *testing.T, id, location string, has bool) {
	t.Helper()
	record := u.record(t, id)
	response, _ := u.Get(t, strings.TrimPrefix(location, u.URL))
	events := []string{"created 1 released", "logo_uploaded 1"}
	if has {
		if record["logoUrl"] != location || response.StatusCode != http.StatusOK {
			t.Errorf("the record has %v, and the logo answers %s", record["logoUrl"], response.Status)
		}
	} else {
		events = append(events, "updated 1")
		if _, ok := record["logoUrl"]; ok || response.StatusCode != http.StatusNotFound {
			t.Errorf("the record has %v, and the logo answers %s", record["logoUrl"], response.Status)
		}
	}
	if record["name"] != servertest.Request().GetName() {
		t.Errorf("the name has changed to %v", record["name"])
	}
	u.WantEvents(t, id, events...)
}
