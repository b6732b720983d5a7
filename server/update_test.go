package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
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

// An updateTest sends updates to clients of the fixture, as an admin.
type updateTest struct {
	*servertest.Server

	token string
}

func startUpdate(t *testing.T) updateTest {
	t.Helper()
	s := servertest.Start(t, ticking)
	return updateTest{s, s.Token(t, append([]string{auth.ScopeAdmin}, servertest.All...)...)}
}

// send updates a new client and returns its id and the answer.
func (u updateTest) send(t *testing.T, body map[string]any) (id string, before map[string]any, response *http.Response, answer []byte) {
	t.Helper()
	id = u.CreateAs(t, u.token, servertest.Request()).GetClientId()
	before = u.record(t, id)
	body = maps.Clone(body)
	body["clientId"] = id
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	response, answer = u.PostJSON(t, clientsService+"UpdateClient", u.token, string(text))
	return id, before, response, answer
}

// record is what GetClient shows.
func (u updateTest) record(t *testing.T, id string) map[string]any {
	t.Helper()
	return member(t, postAs(t, u.Server, u.token, clientsService+"GetClient", `{"clientId": "`+id+`"}`), "Client")
}

// wantChange fails the test unless the update changes these members of the
// record and no other. A nil is a member that is absent afterwards.
func (u updateTest) wantChange(t *testing.T, body, want map[string]any) {
	t.Helper()
	id, before, response, answer := u.send(t, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s", response.Status, answer)
	}
	after := member(t, object(t, answer), "client")
	if diff := cmp.Diff(after, u.record(t, id)); diff != "" {
		t.Errorf("the answer and what is read later (-answer +read):\n%s", diff)
	}
	changed := changedMembers(before, after)
	events := []string{"created 1 released"}
	if _, ok := changed["updatedAt"]; ok {
		events = append(events, "updated 1")
	}
	if len(want) > 0 {
		want = maps.Clone(want)
		want["updatedAt"] = after["updatedAt"]
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("what has changed (-want +got):\n%s", diff)
	}
	wantEvents(t, u.Server, id, events...)
}

func changedMembers(before, after map[string]any) map[string]any {
	changed := map[string]any{}
	for name, value := range after {
		if !cmp.Equal(before[name], value) {
			changed[name] = value
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			changed[name] = nil
		}
	}
	return changed
}

// wantRefused fails the test unless the update is refused for this reason and
// changes nothing.
func (u updateTest) wantRefused(t *testing.T, body map[string]any, field, message string) {
	t.Helper()
	id, before, response, answer := u.send(t, body)
	wantRefusal(t, response, answer, field, message)
	if diff := cmp.Diff(before, u.record(t, id)); diff != "" {
		t.Errorf("the client has changed (-before +after):\n%s", diff)
	}
	wantEvents(t, u.Server, id, "created 1 released")
}

func TestUpdateClientWithoutAMaskChangesWhatIsSet(t *testing.T) {
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

func TestUpdateClientWithoutAMaskTakesEmptyForSetButNotInLists(t *testing.T) {
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

func TestUpdateClientWithAMaskChangesWhatItNames(t *testing.T) {
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

func TestUpdateClientClearsWhatTheMaskNamesAndTheRequestDoesNotSet(t *testing.T) {
	u := startUpdate(t)
	for _, f := range updatables {
		t.Run(f.field, func(t *testing.T) {
			body := everything()
			delete(body, f.field)
			body["updateMask"] = f.field
			if f.required {
				u.wantRefused(t, body, "update_mask", fmt.Sprintf("%q is named but not set, and may not be empty", snake(f.field)))
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

func TestUpdateClientWorksOverEveryProtocolAndLeavesTheSecretAlone(t *testing.T) {
	s := servertest.Start(t, ticking)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			made := s.Create(t, servertest.Request())
			answer, err := s.Clients(protocol, token).UpdateClient(t.Context(),
				&apiv1.UpdateClientRequest{ClientId: made.GetClientId(), Name: proto.String("Renamed")})
			if err != nil {
				t.Fatal(err)
			}
			want := proto.CloneOf(made)
			want.ClientSecret, want.Name = nil, "Renamed"
			when := protocmp.IgnoreFields(&apiv1.Client{}, "updated_at")
			if diff := cmp.Diff(want, answer.GetClient(), protocmp.Transform(), when); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantOnlySecret(t, s, made.GetClientId(), 1, made.GetClientSecret())
			if row := s.Row(t, made.GetClientId()); row.Revision != 2 {
				t.Errorf("got revision %d, want 2", row.Revision)
			}
		})
	}
}

func TestUpdateClientIgnoresIsVerifiedOfWhoIsNoAdmin(t *testing.T) {
	u := startUpdate(t)
	u.token = u.Token(t, servertest.All...)
	nothing := map[string]any{}
	u.wantChange(t, map[string]any{"isVerified": true, "updateMask": "isVerified"}, nothing)
	u.wantChange(t, map[string]any{"updateMask": "isVerified"}, nothing)
	u.wantChange(t, map[string]any{"isVerified": true}, nothing)
	u.wantChange(t, map[string]any{"isVerified": true, "name": "Renamed"}, map[string]any{"name": "Renamed"})
}

func TestUpdateClientCannotReachAnotherOrganisation(t *testing.T) {
	s := servertest.Start(t)
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	before := s.Row(t, foreign.GetClientId())
	admin := s.Token(t, append([]string{auth.ScopeAdmin}, servertest.All...)...)
	for name, id := range map[string]string{"a foreign client": foreign.GetClientId(), "no client": uuid.NewString()} {
		for change, request := range map[string]*apiv1.UpdateClientRequest{
			"a name":      {ClientId: id, Name: proto.String("Renamed")},
			"its logo":    {ClientId: id, LogoUrl: proto.String("")},
			"nothing":     {ClientId: id},
			"verified":    {ClientId: id, IsVerified: proto.Bool(true)},
			"a wrong URL": {ClientId: id, LogoUrl: proto.String("https://example.com/x.png")},
		} {
			t.Run(name+", "+change, func(t *testing.T) {
				_, err := s.Clients(over, admin).UpdateClient(t.Context(), request)
				wantError(t, err, connect.CodeNotFound, "client not found")
				wantReason(t, err, "CLIENT_NOT_FOUND")
			})
		}
	}
	wantSameRow(t, before, s.Row(t, foreign.GetClientId()))
	wantEvents(t, s, foreign.GetClientId(), "created 1 released")
}
