package contract_test

import (
	"fmt"
	"strings"
	"testing"
)

// An updatable is a field that UpdateClient changes. The fixture has another
// value, and none that is empty.
type updatable struct {
	field string // its name in JSON
	value any    // a new value
	empty any    // the empty value of its type
	// required fields are never empty. The record shows any other one, once
	// it is cleared, as empty or, if it is nullable, not at all.
	required, nullable bool
}

var updatables = []updatable{
	{field: "name", value: "Renamed", empty: "", required: true},
	{field: "redirectUri", value: "com.example.app:/callback", empty: "", required: true},
	{field: "websiteUrl", value: "http://renamed.example.com", empty: "", required: true},
	{field: "description", value: "Two\nlines", empty: "", required: true},
	{field: "supportsRefreshToken", value: false, empty: false},
	{field: "supportsImplicitGrant", value: false, empty: false},
	{field: "supportsDeviceCodeGrant", value: false, empty: false},
	{field: "supportsCodeGrant", value: false, empty: false},
	{field: "applicationBindings", value: []any{map[string]any{"applicationId": "app_new"}}, empty: []any{}},
	{field: "allowedDelegators", value: []any{"550e8400-e29b-41d4-a716-446655440002"}, empty: []any{}},
	{field: "backchannelLogoutUri", value: "http://localhost/back", empty: "", nullable: true},
	{field: "backchannelLogoutSessionRequired", value: false, empty: false},
	{field: "frontchannelLogoutUri", value: "http://localhost/front", empty: "", nullable: true},
	{field: "frontchannelLogoutSessionRequired", value: false, empty: false},
	{field: "postLogoutRedirectUris", value: []any{"https://renamed.example.com/bye"}, empty: []any{}},
	{field: "isVerified", value: false, empty: false},
}

// cleared is what the record has in place of a field that was cleared.
func (u updatable) cleared() any {
	if u.nullable {
		return nil
	}
	return u.empty
}

// everything sets every field to its new value.
func everything() map[string]any {
	all := map[string]any{}
	for _, u := range updatables {
		all[u.field] = u.value
	}
	return all
}

func TestUpdateClient_WithoutMaskChangesSetFields(t *testing.T) {
	u := startUpdate(t)
	for _, f := range updatables {
		t.Run(f.field, func(t *testing.T) {
			u.wantChange(t, map[string]any{f.field: f.value}, map[string]any{f.field: f.value})
			u.wantChange(t, map[string]any{f.field: f.value, "updateMask": ""}, map[string]any{f.field: f.value})
			u.wantChange(t, map[string]any{f.field: nil}, map[string]any{})
		})
	}
	t.Run("everything", func(t *testing.T) { u.wantChange(t, everything(), everything()) })
	t.Run("nothing", func(t *testing.T) { u.wantChange(t, map[string]any{}, map[string]any{}) })
}

func TestUpdateClient_WithoutMaskEmptyValues(t *testing.T) {
	u := startUpdate(t)
	for _, f := range updatables {
		t.Run(f.field, func(t *testing.T) {
			body := map[string]any{f.field: f.empty}
			_, isList := f.empty.([]any)
			switch {
			case f.required:
				u.wantRefused(t, body, snake(f.field), emptyMessage(f.field))
			case isList:
				u.wantChange(t, body, map[string]any{})
			default:
				u.wantChange(t, body, map[string]any{f.field: f.cleared()})
			}
		})
	}
}

func TestUpdateClient_WithMaskChangesNamedFields(t *testing.T) {
	u := startUpdate(t)
	for _, f := range updatables {
		t.Run(f.field, func(t *testing.T) {
			body := everything()
			body["updateMask"] = f.field
			u.wantChange(t, body, map[string]any{f.field: f.value})
			body["updateMask"] = f.field + "," + f.field
			u.wantChange(t, body, map[string]any{f.field: f.value})
		})
	}
}

func TestUpdateClient_WithMaskClearsUnsetFields(t *testing.T) {
	u := startUpdate(t)
	for _, f := range updatables {
		t.Run(f.field, func(t *testing.T) {
			body := everything()
			delete(body, f.field)
			body["updateMask"] = f.field
			if f.required {
				u.wantRefused(t, body, "update_mask", fmt.Sprintf("%q is named but not set, and may not be empty", f.field))
				return
			}
			u.wantChange(t, body, map[string]any{f.field: f.cleared()})
			body[f.field] = f.empty
			u.wantChange(t, body, map[string]any{f.field: f.cleared()})
		})
	}
}

// snake is the proto name of a field.
func snake(field string) string {
	var name strings.Builder
	for _, r := range field {
		if r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteString(strings.ToLower(string(r)))
	}
	return name.String()
}

func emptyMessage(field string) string {
	if strings.HasSuffix(field, "Uri") || strings.HasSuffix(field, "Url") {
		return "must be at least 1 characters; value is empty, which is not a valid URI"
	}
	return "must be at least 1 characters"
}
