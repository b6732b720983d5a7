package servertest

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
)

// NewRequest is a call of JSON, with or without a token.
func (s *Server) NewRequest(t testing.TB, procedure, token string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+procedure, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request
}

// GRPC is gRPC, for tests that look at one protocol beside Connect.
var GRPC = Protocols()[slices.IndexFunc(Protocols(), func(p Protocol) bool { return p.Name == "gRPC" })]

// GRPCHealth asks grpc.health.v1 how a service is. Its messages have one field
// each, a string and an enum, and so have these on the wire.
func (s *Server) GRPCHealth(t *testing.T, service string) (uint32, error) {
	t.Helper()
	health := connect.NewClient[wrapperspb.StringValue, wrapperspb.UInt32Value](
		HTTPClient(true), s.URL+"/grpc.health.v1.Health/Check", connect.WithGRPC())
	answer, err := health.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(service)))
	if err != nil {
		return 0, err
	}
	return answer.Msg.GetValue(), nil
}

const (
	ClientsPath      = "/xeonr.auth.api.v1.ClientsService/"
	VerifySecretPath = "/clientsd.v1.SecretsService/VerifySecret"
)

// ConnectJSON speaks the protocol of tests that are not about the protocol.
var ConnectJSON = Protocols()[0]

// ClientsService is the mirrored service as a caller with every scope sees it.
func (s *Server) ClientsService(t testing.TB) apiv1connect.ClientsServiceClient {
	t.Helper()
	return s.Clients(ConnectJSON, s.Token(t, All...))
}

// Get fetches a path of the server over HTTP/1.1, with header fields in pairs
// of name and value.
func (s *Server) Get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	return Do(t, request)
}

// Post calls a procedure as curl would, with every scope but admin, and reads
// the answer of a call that must succeed.
func (s *Server) Post(t testing.TB, procedure, body string) map[string]any {
	t.Helper()
	return s.PostAs(t, s.Token(t, All...), procedure, body)
}

// PostAs is post for the holder of token.
func (s *Server) PostAs(t testing.TB, token, procedure, body string) map[string]any {
	t.Helper()
	response, answer := s.PostJSON(t, procedure, token, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s: %s", procedure, body, response.Status, answer)
	}
	return Object(t, answer)
}
