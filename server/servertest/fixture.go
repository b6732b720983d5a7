package servertest

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
)

// Request describes a confidential client. No field has its zero value, so that a
// field that gets lost shows.
func Request() *apiv1.CreateClientRequest {
	settings, err := structpb.NewStruct(map[string]any{"property1": map[string]any{}, "depth": 2.5, "tags": []any{"a", nil, true}})
	if err != nil {
		panic(err) // the value is a constant
	}
	return &apiv1.CreateClientRequest{
		HasSecret:               true,
		Name:                    "My OAuth App",
		RedirectUri:             "https://myapp.example.com/oauth/callback",
		WebsiteUrl:              "https://myapp.example.com",
		Description:             "A sample OAuth application for demonstration purposes",
		SupportsRefreshToken:    true,
		SupportsImplicitGrant:   true,
		SupportsDeviceCodeGrant: true,
		SupportsCodeGrant:       true,
		UsesManagedBuckets:      true,
		ApplicationId:           proto.String("app_prod_myapp"),
		ApplicationBindings: []*apiv1.ApplicationBinding{
			{ApplicationId: "app_prod_myapp", Config: &apiv1.ApplicationBindingConfig{JsonConfig: settings}},
			{ApplicationId: "app_bare"},
		},
		AllowedDelegators:                 []string{"550e8400-e29b-41d4-a716-446655440001"},
		BackchannelLogoutUri:              proto.String("https://myapp.example.com/backchannel-logout"),
		BackchannelLogoutSessionRequired:  true,
		FrontchannelLogoutUri:             proto.String("https://myapp.example.com/frontchannel-logout"),
		FrontchannelLogoutSessionRequired: true,
		PostLogoutRedirectUris:            []string{"https://myapp.example.com/logged-out"},
		IsVerified:                        true,
	}
}

// PublicRequest describes a client without a secret.
func PublicRequest() *apiv1.CreateClientRequest {
	request := Request()
	request.HasSecret, request.UsesManagedBuckets = false, false
	return request
}

// Create registers a client with every scope in the default organisation, and
// returns the record with its secret, if it has one.
func (s *Server) Create(t testing.TB, request *apiv1.CreateClientRequest) *apiv1.Client {
	t.Helper()
	return s.CreateAs(t, s.Token(t, All...), request)
}

// CreateAs registers a client as the holder of token.
func (s *Server) CreateAs(t testing.TB, token string, request *apiv1.CreateClientRequest) *apiv1.Client {
	t.Helper()
	answer, err := s.Clients(Protocols()[0], token).CreateClient(t.Context(), request)
	if err != nil {
		t.Fatalf("create client: %v", err)
	}
	return answer.GetClient()
}

// NextPageToken lists clients and returns the token of the next page.
func (s *Server) NextPageToken(t *testing.T, request *apiv1.ListClientsRequest) string {
	t.Helper()
	answer, err := s.ClientsService(t).ListClients(t.Context(), request)
	if err != nil || answer.NextPageToken == nil {
		t.Fatalf("got no token of a next page: %v, error %v", answer, err)
	}
	return answer.GetNextPageToken()
}

// LogoUploadJSON returns the JSON of an UploadClientLogoRequest.
func LogoUploadJSON(t testing.TB, clientID string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"clientId": clientID, "logoData": PNG(t, 16, 16, Red), "contentType": "image/png",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// UploadLogo gives a client a red logo and returns its URL.
func (s *Server) UploadLogo(t testing.TB, clientID string) string {
	t.Helper()
	answer, err := s.ClientsService(t).UploadClientLogo(t.Context(), &apiv1.UploadClientLogoRequest{
		ClientId: clientID, LogoData: PNG(t, 16, 16, Red), ContentType: "image/png",
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetLogoUrl()
}

// RequestJSON returns Request as JSON.
func RequestJSON(t testing.TB) string {
	t.Helper()
	text, err := protojson.Marshal(Request())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Application is the application that Request names.
const Application = "app_prod_myapp"
