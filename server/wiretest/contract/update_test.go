package contract_test

import (
	"encoding/json"
	"maps"
	"net/http"
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

// An updateTest sends updates to clients of the fixture, as an admin.
type updateTest struct {
	*servertest.Server

	token string
}

func startUpdate(t *testing.T) updateTest {
	t.Helper()
	s := servertest.Start(t, servertest.TickingClock)
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
	response, answer = u.PostJSON(t, servertest.ClientsPath+"UpdateClient", u.token, string(text))
	return id, before, response, answer
}

// record is what GetClient shows.
func (u updateTest) record(t *testing.T, id string) map[string]any {
	t.Helper()
	return servertest.Member(t, u.PostAs(t, u.token, servertest.ClientsPath+"GetClient", `{"clientId": "`+id+`"}`), "Client")
}

// wantChange fails the test unless the update changes these members of the
// record and no other. A nil is a member that is absent afterwards.
func (u updateTest) wantChange(t *testing.T, body, want map[string]any) {
	t.Helper()
	id, before, response, answer := u.send(t, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s", response.Status, answer)
	}
	after := servertest.Member(t, servertest.Object(t, answer), "client")
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
	u.WantEvents(t, id, events...)
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
	u.WantEvents(t, id, "created 1 released")
}

func TestUpdateClient_OverEveryProtocol(t *testing.T) {
	s := servertest.Start(t, servertest.TickingClock)
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
			s.WantOnlySecret(t, made.GetClientId(), 1, made.GetClientSecret())
			if row := s.Row(t, made.GetClientId()); row.Revision != 2 {
				t.Errorf("got revision %d, want 2", row.Revision)
			}
		})
	}
}

func TestUpdateClient_IsVerifiedNeedsAdmin(t *testing.T) {
	u := startUpdate(t)
	u.token = u.Token(t, servertest.All...)
	nothing := map[string]any{}
	u.wantChange(t, map[string]any{"isVerified": true, "updateMask": "isVerified"}, nothing)
	u.wantChange(t, map[string]any{"updateMask": "isVerified"}, nothing)
	u.wantChange(t, map[string]any{"isVerified": true}, nothing)
	u.wantChange(t, map[string]any{"isVerified": true, "name": "Renamed"}, map[string]any{"name": "Renamed"})
}

func TestUpdateClient_OtherOrganisation(t *testing.T) {
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
				_, err := s.Clients(servertest.ConnectJSON, admin).UpdateClient(t.Context(), request)
				servertest.WantError(t, err, connect.CodeNotFound, "client not found")
				servertest.WantReason(t, err, "CLIENT_NOT_FOUND")
			})
		}
	}
	servertest.WantSameRow(t, before, s.Row(t, foreign.GetClientId()))
	s.WantEvents(t, foreign.GetClientId(), "created 1 released")
}
