package auth_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server/auth"
)

type (
	request  = clientsdv1.VerifySecretRequest
	response = clientsdv1.VerifySecretResponse
)

func TestInterceptor_DeniesWithoutMiddleware(t *testing.T) {
	t.Parallel()
	reached := func(context.Context, *request) (*response, error) { return &response{}, nil }
	tests := map[string]struct {
		procedure, message, challenge string
		code                          connect.Code
	}{
		"a guarded procedure without a caller": {verifyPath, noTokenMessage, bareChallenge, connect.CodeUnauthenticated},
		"a procedure without a rule":           {"/a.B/C", "no rule allows this procedure", "", connect.CodePermissionDenied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := connect.NewUnaryHandlerSimple(tt.procedure, reached, connect.WithInterceptors(auth.NewRules("").Interceptor()))
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			client := connect.NewClient[request, response](server.Client(), server.URL+tt.procedure)
			_, err := client.CallUnary(t.Context(), connect.NewRequest(&request{}))
			wantConnectError(t, err, tt.code, tt.message, tt.challenge)
		})
	}
}

func TestInterceptor_DeniesStreams(t *testing.T) {
	t.Parallel()
	reached := func(_ context.Context, _ *request, stream *connect.ServerStream[response]) error {
		return stream.Send(&response{Valid: true})
	}
	handler := connect.NewServerStreamHandlerSimple(getPublicClients, reached, connect.WithInterceptors(auth.NewRules("").Interceptor()))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := connect.NewClient[request, response](server.Client(), server.URL+getPublicClients)
	stream, err := client.CallServerStream(t.Context(), connect.NewRequest(&request{}))
	if err != nil {
		t.Fatalf("CallServerStream: %v", err)
	}
	if stream.Receive() {
		t.Errorf("got message %v, want none", stream.Msg())
	}
	wantConnectError(t, stream.Err(), connect.CodePermissionDenied, "no rule allows this procedure", "")
}
