package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"clientsd/ent/clientlogo"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestDeleteClient_LeavesOnlyEvents(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			made := s.Create(t, servertest.Request())
			id := made.GetClientId()
			logoURL := s.UploadLogo(t, id)
			clients := s.Clients(protocol, token)
			if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
				t.Fatal(err)
			}
			_, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id})
			servertest.WantError(t, err, connect.CodeNotFound, "client not found")
			wantGone(t, s, made, logoURL)
			s.WantEvents(t, id, "created 1 released", "logo_uploaded 1", "deleted 1")
		})
	}
}

// wantGone fails the test if any call still knows the client.
func wantGone(t *testing.T, s *servertest.Server, was *apiv1.Client, logoURL string) {
	t.Helper()
	id, clients := was.GetClientId(), s.ClientsService(t)
	_, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	_, err = clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	_, err = clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	_, err = clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: &was.Name})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	_, err = clients.UploadClientLogo(t.Context(), &apiv1.UploadClientLogoRequest{
		ClientId: id, LogoData: servertest.PNG(t, 1, 1, servertest.Red), ContentType: "image/png",
	})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	list, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(list.GetClients()) != 0 {
		t.Errorf("the list has %v, error %v", list.GetClients(), err)
	}
	public, err := clients.GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{ClientId: []string{id}})
	if err != nil || len(public.GetClients()) != 0 {
		t.Errorf("the public clients are %v, error %v", public.GetClients(), err)
	}
	if s.Verify(t, id, was.GetClientSecret()).GetValid() {
		t.Error("its secret still verifies")
	}
	if response, _ := s.Get(t, strings.TrimPrefix(logoURL, s.URL)); response.StatusCode != http.StatusNotFound {
		t.Errorf("its logo answers %s", response.Status)
	}
	logos, err := s.Database(t).Read.ClientLogo.Query().Where(clientlogo.ClientID(uuid.MustParse(id))).Count(t.Context())
	if err != nil || logos != 0 {
		t.Errorf("%d logos are stored, error %v", logos, err)
	}
}

func TestDeleteClient_OtherOrganisation(t *testing.T) {
	s := servertest.Start(t)
	acme := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"})
	foreign := s.CreateAs(t, acme, servertest.Request())
	before := s.Row(t, foreign.GetClientId())
	for name, id := range map[string]string{"a foreign client": foreign.GetClientId(), "no client": uuid.NewString()} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ClientsService(t).DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id})
			servertest.WantError(t, err, connect.CodeNotFound, "client not found")
			servertest.WantReason(t, err, "CLIENT_NOT_FOUND")
		})
	}
	servertest.WantSameRow(t, before, s.Row(t, foreign.GetClientId()))
	s.WantEvents(t, foreign.GetClientId(), "created 1 released")
}

func TestDeleteClient_LeavesOthersAlone(t *testing.T) {
	s := servertest.Start(t)
	gone, stays := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	s.UploadLogo(t, gone.GetClientId())
	logoURL := s.UploadLogo(t, stays.GetClientId())
	before := s.Row(t, stays.GetClientId())
	if _, err := s.ClientsService(t).DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: gone.GetClientId()}); err != nil {
		t.Fatal(err)
	}
	servertest.WantSameRow(t, before, s.Row(t, stays.GetClientId()))
	s.WantOnlySecret(t, stays.GetClientId(), 1, stays.GetClientSecret(), gone.GetClientSecret())
	if response, _ := s.Get(t, strings.TrimPrefix(logoURL, s.URL)); response.StatusCode != http.StatusOK {
		t.Errorf("the other logo answers %s", response.Status)
	}
}
