package server

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/oauthclient"
)

// immutable are the fields of a client that no update can name, beside those
// that are not in the request at all.
var immutable = []string{
	"client_id", "client_secret", "created_at", "updated_at", "application_id",
	"uses_managed_buckets", "has_secret", "update_mask",
}

// changes are the fields an update request changes: those its mask names or,
// without a mask, those that are set.
type changes struct {
	request *apiv1.UpdateClientRequest
	masked  map[string]bool // nil: no mask
}

// changesOf reads the mask. A name it cannot take is an Invalid error that
// names it, and so is a named field that may not be empty and is not set.
func changesOf(req *apiv1.UpdateClientRequest) (changes, error) {
	c := changes{request: req}
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		return c, nil
	}
	c.masked = make(map[string]bool, len(paths))
	var wrong []oauthclient.Violation
	for _, path := range paths {
		c.masked[path] = true
		if problem := c.problem(path); problem != "" {
			wrong = append(wrong, oauthclient.Violation{Field: "update_mask", Rule: "update_mask", Message: problem})
		}
	}
	return c, oauthclient.NewInvalid(wrong...)
}

// required are the fields that are never empty: a mask may not clear them.
var required = []string{"name", "redirect_uri", "website_url", "description"}

func (c changes) problem(path string) string {
	switch {
	case slices.Contains(immutable, path):
		return fmt.Sprintf("%q is immutable", path)
	case c.field(path) == nil:
		return fmt.Sprintf("%q is not a field of a client; allowed are %s", path, strings.Join(maskable(), ", "))
	case slices.Contains(required, path) && !c.request.ProtoReflect().Has(c.field(path)):
		return fmt.Sprintf("%q is named but not set, and may not be empty", path)
	default:
		return ""
	}
}

// has says whether the update changes a field.
func (c changes) has(name string) bool {
	if c.masked != nil {
		return c.masked[name]
	}
	return c.request.ProtoReflect().Has(c.field(name))
}

func (c changes) field(name string) protoreflect.FieldDescriptor {
	return c.request.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
}

// maskable lists the names a mask can hold, for the caller who got one wrong.
func maskable() []string {
	fields := (&apiv1.UpdateClientRequest{}).ProtoReflect().Descriptor().Fields()
	var names []string
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); !slices.Contains(immutable, name) {
			names = append(names, name)
		}
	}
	return names
}

// change is the new value of a field, or nil if the update leaves it alone.
func change[T any](c changes, name string, value T) *T {
	if !c.has(name) {
		return nil
	}
	return &value
}

// updateInput is what the request changes. A named boolean or list that is
// unset takes its zero value, a named text that may be absent is cleared.
func (s *clientsService) updateInput(req *apiv1.UpdateClientRequest) (oauthclient.UpdateInput, error) {
	c, err := changesOf(req)
	if err != nil {
		return oauthclient.UpdateInput{}, err
	}
	bindings, err := bindingsFromWire(req.GetApplicationBindings())
	if err != nil {
		return oauthclient.UpdateInput{}, err
	}
	input := oauthclient.UpdateInput{
		Name:                              change(c, "name", req.GetName()),
		RedirectURI:                       change(c, "redirect_uri", req.GetRedirectUri()),
		WebsiteURL:                        change(c, "website_url", req.GetWebsiteUrl()),
		Description:                       change(c, "description", req.GetDescription()),
		RefreshToken:                      change(c, "supports_refresh_token", req.GetSupportsRefreshToken()),
		Implicit:                          change(c, "supports_implicit_grant", req.GetSupportsImplicitGrant()),
		DeviceCode:                        change(c, "supports_device_code_grant", req.GetSupportsDeviceCodeGrant()),
		Code:                              change(c, "supports_code_grant", req.GetSupportsCodeGrant()),
		Bindings:                          change(c, "application_bindings", bindings),
		AllowedDelegators:                 change(c, "allowed_delegators", req.GetAllowedDelegators()),
		BackchannelLogoutURI:              change(c, "backchannel_logout_uri", req.GetBackchannelLogoutUri()),
		BackchannelLogoutSessionRequired:  change(c, "backchannel_logout_session_required", req.GetBackchannelLogoutSessionRequired()),
		FrontchannelLogoutURI:             change(c, "frontchannel_logout_uri", req.GetFrontchannelLogoutUri()),
		FrontchannelLogoutSessionRequired: change(c, "frontchannel_logout_session_required", req.GetFrontchannelLogoutSessionRequired()),
		PostLogoutRedirectURIs:            change(c, "post_logout_redirect_uris", req.GetPostLogoutRedirectUris()),
		Verified:                          change(c, "is_verified", req.GetIsVerified()),
	}
	if c.has("logo_url") {
		input.RemoveLogo = req.GetLogoUrl() == ""
		input.KeepLogo = s.logos.named(req.GetLogoUrl())
	}
	return input, nil
}
