package xeonr

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/oauthclient"
)

// immutable are the fields of a client that no update can name, in addition to
// those that are not in the request at all.
var immutable = []string{
	"client_id", "client_secret", "created_at", "updated_at", "application_id",
	"uses_managed_buckets", "has_secret", "update_mask",
}

// required are the fields that are never empty: a mask may not clear them.
var required = []string{"name", "redirect_uri", "website_url", "description"}

// maxQuoted bounds the paths that an error quotes, in bytes. Every field has a
// shorter name, and every secret is longer.
const maxQuoted = 48

// updateMask holds the fields that an update request changes: those that its mask
// names or, without a mask, those that are set.
type updateMask struct {
	request *apiv1.UpdateClientRequest
	masked  map[string]bool // nil: no mask
}

// parseUpdateMask reads the mask.
//
// Errors: Invalid for each name that cannot be in a mask, and for a named field
// that may not be empty and is not set.
func parseUpdateMask(req *apiv1.UpdateClientRequest) (updateMask, error) {
	m := updateMask{request: req}
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		return m, nil
	}
	m.masked = make(map[string]bool, len(paths))
	var wrong []oauthclient.Violation
	for _, path := range paths {
		m.masked[path] = true
		if problem := m.problem(path); problem != "" {
			wrong = append(wrong, oauthclient.Violation{Field: "update_mask", Rule: "update_mask", Message: problem})
		}
	}
	return m, oauthclient.NewInvalid(wrong...)
}

func (m updateMask) problem(path string) string {
	switch {
	case slices.Contains(immutable, path):
		return fmt.Sprintf("%q is immutable", path)
	case m.field(path) == nil && len(path) > maxQuoted:
		return "a path that is not shown is not a field of a client; allowed are " + strings.Join(maskable(), ", ")
	case m.field(path) == nil:
		return fmt.Sprintf("%q is not a field of a client; allowed are %s", path, strings.Join(maskable(), ", "))
	case slices.Contains(required, path) && !m.request.ProtoReflect().Has(m.field(path)):
		return fmt.Sprintf("%q is named but not set, and may not be empty", path)
	default:
		return ""
	}
}

// has reports whether the update changes a field.
func (m updateMask) has(name string) bool {
	if m.masked != nil {
		return m.masked[name]
	}
	return m.request.ProtoReflect().Has(m.field(name))
}

func (m updateMask) field(name string) protoreflect.FieldDescriptor {
	return m.request.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
}

// maskable returns the names that a mask can hold, for the message of an error.
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

// changed returns the new value of a field, or nil if the update leaves it alone.
func changed[T any](m updateMask, name string, value T) *T {
	if !m.has(name) {
		return nil
	}
	return &value
}

// updateInput converts what the request changes. A named boolean or list that is
// unset takes its zero value, a named text that may be absent is cleared.
func (s *Service) updateInput(req *apiv1.UpdateClientRequest) (oauthclient.UpdateInput, error) {
	m, err := parseUpdateMask(req)
	if err != nil {
		return oauthclient.UpdateInput{}, err
	}
	bindings, err := parseBindings(req.GetApplicationBindings())
	if err != nil {
		return oauthclient.UpdateInput{}, err
	}
	input := oauthclient.UpdateInput{
		Name:                              changed(m, "name", req.GetName()),
		RedirectURI:                       changed(m, "redirect_uri", req.GetRedirectUri()),
		WebsiteURL:                        changed(m, "website_url", req.GetWebsiteUrl()),
		Description:                       changed(m, "description", req.GetDescription()),
		RefreshToken:                      changed(m, "supports_refresh_token", req.GetSupportsRefreshToken()),
		Implicit:                          changed(m, "supports_implicit_grant", req.GetSupportsImplicitGrant()),
		DeviceCode:                        changed(m, "supports_device_code_grant", req.GetSupportsDeviceCodeGrant()),
		Code:                              changed(m, "supports_code_grant", req.GetSupportsCodeGrant()),
		Bindings:                          changed(m, "application_bindings", bindings),
		AllowedDelegators:                 changed(m, "allowed_delegators", req.GetAllowedDelegators()),
		BackchannelLogoutURI:              changed(m, "backchannel_logout_uri", req.GetBackchannelLogoutUri()),
		BackchannelLogoutSessionRequired:  changed(m, "backchannel_logout_session_required", req.GetBackchannelLogoutSessionRequired()),
		FrontchannelLogoutURI:             changed(m, "frontchannel_logout_uri", req.GetFrontchannelLogoutUri()),
		FrontchannelLogoutSessionRequired: changed(m, "frontchannel_logout_session_required", req.GetFrontchannelLogoutSessionRequired()),
		PostLogoutRedirectURIs:            changed(m, "post_logout_redirect_uris", req.GetPostLogoutRedirectUris()),
		Verified:                          changed(m, "is_verified", req.GetIsVerified()),
	}
	if m.has("logo_url") {
		input.RemoveLogo = req.GetLogoUrl() == ""
		input.KeepLogo = s.logos.parse(req.GetLogoUrl())
	}
	return input, nil
}
