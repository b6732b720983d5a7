package servertest

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/reqctx"
)

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

// RotateWithOverlap rotates and keeps the previous secret valid for a while.
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

// RotateRequest returns a request to rotate and to show the new secret.
func RotateRequest(clientID string) *apiv1.RegenerateSecretRequest {
	return &apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true}
}

// WithIdempotencyKeys returns a context for one call that sends these idempotency
// keys.
func WithIdempotencyKeys(ctx context.Context, keys ...string) context.Context {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader()[reqctx.IdempotencyHeader] = keys
	return ctx
}

// RotateWithKey rotates with an idempotency key. The call must succeed.
func RotateWithKey(t testing.TB, clients apiv1connect.ClientsServiceClient, key string, request *apiv1.RegenerateSecretRequest) *apiv1.Client {
	t.Helper()
	answer, err := clients.RegenerateSecret(WithIdempotencyKeys(t.Context(), key), request)
	if err != nil {
		t.Fatalf("regenerate secret under %q: %v", key, err)
	}
	return answer
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
