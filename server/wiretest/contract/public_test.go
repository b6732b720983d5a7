package contract_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestGetPublicClients_OfEveryOrganisation(t *testing.T) {
	s := servertest.Start(t)
	mine := s.Create(t, servertest.Request())
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.PublicRequest())
	s.UploadLogo(t, mine.GetClientId())
	want := map[string]*apiv1.PublicClient{}
	for _, id := range []string{mine.GetClientId(), foreign.GetClientId()} {
		row := s.Row(t, id)
		want[id] = &apiv1.PublicClient{
			ClientId: id, Name: row.Name, WebsiteUrl: row.WebsiteURL, Description: row.Description, IsVerified: "false",
			CreatedAt: mine.GetCreatedAt(), ApplicationBindings: servertest.Request().GetApplicationBindings(),
		}
	}
	want[foreign.GetClientId()].CreatedAt = foreign.GetCreatedAt()
	location := s.URL + "/logos/" + mine.GetClientId() + "/" + *s.Row(t, mine.GetClientId()).LogoHash + ".png"
	want[mine.GetClientId()].LogoUrl = &location

	for _, protocol := range servertest.Protocols() {
		for name, token := range map[string]string{"no token": "", "a token that is none": "x", "a token without a scope": s.Token(t)} {
			t.Run(protocol.Name+", "+name, func(t *testing.T) {
				got, err := s.Clients(protocol, token).GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{
					ClientId: []string{mine.GetClientId(), uuid.NewString(), foreign.GetClientId(), mine.GetClientId()},
				})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&apiv1.GetPublicClientsResponse{Clients: want}, got, protocmp.Transform()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestGetPublicClients_UnknownIDs(t *testing.T) {
	s := servertest.Start(t)
	_, body := s.PostJSON(t, servertest.ClientsPath+"GetPublicClients", "", `{"clientId": ["`+uuid.NewString()+`"]}`)
	if string(body) != `{"clients":{}}` {
		t.Errorf("got %s", body)
	}
}

func TestGetPublicClients_1To100IDs(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	for count, want := range map[int]string{
		0:   "validation error: clientId: must contain at least 1 item(s)",
		1:   "",
		100: "",
		101: "validation error: clientId: must contain no more than 100 items",
	} {
		t.Run(fmt.Sprint(count, " ids"), func(t *testing.T) {
			request := &apiv1.GetPublicClientsRequest{}
			for range count {
				request.ClientId = append(request.ClientId, id)
			}
			got, err := s.Clients(servertest.ConnectJSON, "").GetPublicClients(t.Context(), request)
			if want != "" {
				servertest.WantError(t, err, connect.CodeInvalidArgument, want)
				servertest.WantViolations(t, err, "client_id")
			} else if err != nil || len(got.GetClients()) != 1 {
				t.Errorf("got %v, error %v", got, err)
			}
		})
	}
	_, err := s.Clients(servertest.ConnectJSON, "").GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{ClientId: []string{id, "x"}})
	servertest.WantViolations(t, err, "client_id[1]")
}

func TestGetPublicClients_CacheableByGETOnly(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	body := fmt.Sprintf(`{"clientId":[%q]}`, made.GetClientId())
	post, want := s.PostJSON(t, servertest.ClientsPath+"GetPublicClients", "", body)
	if got := post.Header.Values("Cache-Control"); !cmp.Equal(got, []string{"no-store"}) {
		t.Errorf("POST: got Cache-Control %q", got)
	}
	for name, query := range map[string]string{
		"as text":   "message=" + url.QueryEscape(body),
		"in base64": "base64=1&message=" + base64.RawURLEncoding.EncodeToString([]byte(body)),
	} {
		t.Run(name, func(t *testing.T) {
			response, got := s.Get(t, servertest.ClientsPath+"GetPublicClients?connect=v1&encoding=json&"+query)
			if response.StatusCode != http.StatusOK || string(got) != string(want) {
				t.Errorf("got %s: %s, want %s", response.Status, got, want)
			}
			if got := response.Header.Values("Cache-Control"); !cmp.Equal(got, []string{"public, max-age=60"}) {
				t.Errorf("got Cache-Control %q", got)
			}
		})
	}
	response, _ := s.Get(t, servertest.ClientsPath+"GetPublicClients?connect=v1&encoding=json&message={}")
	if got := response.Header.Get("Cache-Control"); response.StatusCode != http.StatusBadRequest || strings.Contains(got, "public") {
		t.Errorf("a refusal is %s with Cache-Control %q", response.Status, got)
	}
}

// Nothing that can carry a secret, or takes one, may stand in a URL.
func TestGET_AnswersGetPublicClientsOnly(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	message, err := json.Marshal(map[string]any{"clientId": made.GetClientId(), "includeSecret": true})
	if err != nil {
		t.Fatal(err)
	}
	for _, procedure := range []string{
		apiv1connect.ClientsServiceRegenerateSecretProcedure, apiv1connect.ClientsServiceCreateClientProcedure,
		apiv1connect.ClientsServiceGetClientProcedure, apiv1connect.ClientsServiceListClientsProcedure,
		apiv1connect.ClientsServiceUpdateClientProcedure, apiv1connect.ClientsServiceDeleteClientProcedure,
		apiv1connect.ClientsServiceUploadClientLogoProcedure, servertest.VerifySecretPath,
	} {
		t.Run(procedure, func(t *testing.T) {
			response, body := s.Get(t, procedure+"?connect=v1&encoding=json&message="+url.QueryEscape(string(message)),
				"Authorization", "Bearer "+s.Token(t, servertest.All...))
			if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "POST" || servertest.Object(t, body)["code"] != "unknown" {
				t.Errorf("got %s, Allow %q: %s", response.Status, response.Header.Get("Allow"), body)
			}
		})
	}
	s.WantEvents(t, made.GetClientId(), "created 1 released")
}
