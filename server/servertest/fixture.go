package servertest

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
)

// Request describes a confidential client with a value other than zero in every
// field, so that a field that gets lost on its way shows.
func Request() *apiv1.CreateClientRequest {
	settings, err := structpb.NewStruct(map[string]any{"property1": map[string]any{}, "depth": 2.5, "tags": []any{"a", nil, true}})
	if err != nil {
		panic(err) //nolint:forbidigo // the value is a constant
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

// Verify asks whether secret is valid for the client of the default organisation.
func (s *Server) Verify(t testing.TB, clientID, secret string) *clientsdv1.VerifySecretResponse {
	t.Helper()
	answer, err := s.Secrets(Protocols()[0], s.Token(t, All...)).VerifySecret(t.Context(),
		&clientsdv1.VerifySecretRequest{ClientId: clientID, Secret: secret})
	if err != nil {
		t.Fatalf("verify secret: %v", err)
	}
	return answer
}
