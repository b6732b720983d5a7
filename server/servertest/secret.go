package servertest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/reqctx"
)

// WithIdempotencyKeys is a context for one call, which carries these idempotency keys.
func WithIdempotencyKeys(ctx context.Context, keys ...string) context.Context {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader()[reqctx.IdempotencyHeader] = keys
	return ctx
}

// RotateRequest is a request to rotate and to show the new secret.
func RotateRequest(clientID string) *apiv1.RegenerateSecretRequest {
	return &apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true}
}

// RotateWithKey makes a call under a key that must succeed.
func RotateWithKey(t testing.TB, clients apiv1connect.ClientsServiceClient, key string, request *apiv1.RegenerateSecretRequest) *apiv1.Client {
	t.Helper()
	answer, err := clients.RegenerateSecret(WithIdempotencyKeys(t.Context(), key), request)
	if err != nil {
		t.Fatalf("regenerate secret under %q: %v", key, err)
	}
	return answer
}

// NextPageToken is the token of the page after the one a request asks for.
func (s *Server) NextPageToken(t *testing.T, request *apiv1.ListClientsRequest) string {
	t.Helper()
	answer, err := s.ClientsService(t).ListClients(t.Context(), request)
	if err != nil || answer.NextPageToken == nil {
		t.Fatalf("got no token of a next page: %v, error %v", answer, err)
	}
	return answer.GetNextPageToken()
}

// LogoUploadJSON is the JSON of an upload for a client.
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

// RotateWithOverlap rotates and keeps the old secret valid for a while.
func (s *Server) RotateWithOverlap(t *testing.T, clientID string, overlap time.Duration) *apiv1.Client {
	t.Helper()
	answer, err := s.ClientsService(t).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{
		ClientId: clientID, IncludeSecret: true, PreviousSecretValidFor: durationpb.New(overlap),
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Rotate gives a client a new secret and returns it.
func (s *Server) Rotate(t *testing.T, clientID string) string {
	t.Helper()
	answer, err := s.ClientsService(t).RegenerateSecret(t.Context(),
		&apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetClientSecret()
}

// RequestJSON is servertest.Request as JSON.
func RequestJSON(t testing.TB) string {
	t.Helper()
	text, err := protojson.Marshal(Request())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Application is the application of the clients in the fixtures.
const Application = "app_prod_myapp"
