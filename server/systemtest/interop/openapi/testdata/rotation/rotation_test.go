// Package rotation_test is a program of someone else, who has only the OpenAPI
// document. .ci/openapi runs it with CLIENTSD_URL and CLIENTSD_TOKEN.
package rotation_test

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/google/uuid"

	"example.com/openapi/client"
)

const redirectURI, websiteURL = "https://myapp.example.com/oauth/callback", "https://myapp.example.com"

func connect(t *testing.T) *client.ClientWithResponses {
	t.Helper()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("CLIENTSD_TOKEN"))
		return nil
	}
	clients, err := client.NewClientWithResponses(os.Getenv("CLIENTSD_URL"), client.WithRequestEditorFn(authorize))
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// create registers a confidential client.
func create(t *testing.T, clients *client.ClientWithResponses) uuid.UUID {
	t.Helper()
	name, description, yes := "My OAuth App", "A sample", true
	uri, site := redirectURI, websiteURL
	created, err := clients.CreateClientWithResponse(t.Context(), nil, client.XeonrAuthApiV1CreateClientRequest{
		HasSecret: &yes, Name: &name, Description: &description, RedirectUri: &uri, WebsiteUrl: &site,
	})
	if err != nil {
		t.Fatal(err)
	}
	if created.JSON200 == nil {
		t.Fatalf("create client: %s", created.Body)
	}
	return uuid.MustParse(*created.JSON200.Client.ClientId)
}

func TestGeneratedClient_Rotates(t *testing.T) {
	clients := connect(t)
	id, yes, key := create(t, clients), true, "deploy-4711"
	request := client.XeonrAuthApiV1RegenerateSecretRequest{ClientId: &id, IncludeSecret: &yes}
	var secrets, versions []string
	for range 2 { // the second is a repetition
		rotated, err := clients.RegenerateSecretWithResponse(t.Context(), &client.RegenerateSecretParams{IdempotencyKey: &key}, request)
		if err != nil {
			t.Fatal(err)
		}
		if rotated.JSON200 == nil {
			t.Fatalf("rotate: %s", rotated.Body)
		}
		secrets = append(secrets, *rotated.JSON200.ClientSecret)
		versions = append(versions, *rotated.JSON200.SecretVersion)
	}
	if secrets[0] == "" || secrets[1] != secrets[0] || versions[0] != "2" || versions[1] != "2" {
		t.Errorf("got the versions %v", versions)
	}
	verified, err := clients.VerifySecretWithResponse(t.Context(), nil, client.ClientsdV1VerifySecretRequest{ClientId: &id, Secret: &secrets[0]})
	if err != nil {
		t.Fatal(err)
	}
	if verified.JSON200 == nil || *verified.JSON200.Matched != client.SECRETMATCHCURRENT {
		t.Errorf("verify: %s", verified.Body)
	}
}

func TestGeneratedClient_RotatesOverREST(t *testing.T) {
	clients := connect(t)
	id := create(t, clients)
	rotated, err := clients.RegenerateClientSecretWithResponse(t.Context(), id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rotated.JSON200 == nil || rotated.JSON200.ClientSecret == "" {
		t.Errorf("rotate: %s", rotated.Body)
	}
}

func TestGeneratedClient_ReadsErrors(t *testing.T) {
	clients := connect(t)
	unknown := uuid.New()
	answer, err := clients.GetClientWithResponse(t.Context(), nil, client.XeonrAuthApiV1GetClientRequest{ClientId: &unknown})
	if err != nil {
		t.Fatal(err)
	}
	if answer.JSONDefault == nil {
		t.Fatalf("get client: %s", answer.Body)
	}
	info, err := (*answer.JSONDefault.Details)[0].Debug.AsGoogleRpcErrorInfo()
	if answer.JSONDefault.Code != client.NotFound || err != nil || *info.Reason != client.CLIENTNOTFOUND {
		t.Errorf("got %s", answer.Body)
	}
}

func TestGeneratedClient_GetsPublicClients(t *testing.T) {
	clients := connect(t)
	id := create(t, clients)
	answer, err := clients.GetPublicClientsByGETWithResponse(t.Context(), &client.GetPublicClientsByGETParams{
		Encoding: client.Json, Message: &client.XeonrAuthApiV1GetPublicClientsRequest{ClientId: &[]uuid.UUID{id}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.JSON200 == nil || *(*answer.JSON200.Clients)[id.String()].WebsiteUrl != websiteURL {
		t.Errorf("get public clients: %s", answer.Body)
	}
}
