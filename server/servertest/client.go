package servertest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
)

// A Protocol is one that generated clients speak with the service.
type Protocol struct {
	// Name is for the names of tests.
	Name string

	options []connect.ClientOption
	http2   bool
}

// Protocols returns all that a generated client can speak.
func Protocols() []Protocol {
	return []Protocol{
		{Name: "Connect JSON", options: []connect.ClientOption{connect.WithProtoJSON()}},
		{Name: "Connect proto"},
		{Name: "Connect proto over HTTP/2", http2: true},
		{Name: "gRPC", options: []connect.ClientOption{connect.WithGRPC()}, http2: true},
		{Name: "gRPC-Web", options: []connect.ClientOption{connect.WithGRPCWeb()}},
	}
}

// HTTPClient returns a client of the version of HTTP that the protocol needs.
func (p Protocol) HTTPClient() *http.Client { return HTTPClient(p.http2) }

// Options returns the options of a client that sends no token.
func (p Protocol) Options() []connect.ClientOption { return p.options }

// ConnectJSON is the protocol of tests that are not about protocols.
var ConnectJSON = Protocols()[0]

// GRPC is for tests that look at one protocol besides ConnectJSON.
var GRPC = Protocols()[slices.IndexFunc(Protocols(), func(p Protocol) bool { return p.Name == "gRPC" })]

// EachProtocol runs body once for each protocol.
func EachProtocol(t *testing.T, body func(*testing.T, Protocol)) {
	t.Helper()
	for _, protocol := range Protocols() {
		t.Run(protocol.Name, func(t *testing.T) { body(t, protocol) })
	}
}

// Clients returns a client of the mirrored service that sends this token. An
// empty token sends none.
func (s *Server) Clients(p Protocol, token string) apiv1connect.ClientsServiceClient {
	return apiv1connect.NewClientsServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
}

// Secrets returns a client of our own service that sends this token.
func (s *Server) Secrets(p Protocol, token string) clientsdv1connect.SecretsServiceClient {
	return clientsdv1connect.NewSecretsServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
}

// Management returns a client of ZITADEL's service that sends this token.
func (s *Server) Management(p Protocol, token string) managementv1connect.ManagementServiceClient {
	return managementv1connect.NewManagementServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
}

// ClientsService returns a client of the mirrored service that may do everything
// but what needs the scope admin.
func (s *Server) ClientsService(t testing.TB) apiv1connect.ClientsServiceClient {
	t.Helper()
	return s.Clients(ConnectJSON, s.Token(t, All...))
}

// Call calls any method of a service, for tests that take the methods from the
// descriptors.
func (s *Server) Call(
	ctx context.Context, p Protocol, token string, method protoreflect.MethodDescriptor, request *dynamicpb.Message,
) (*dynamicpb.Message, error) {
	procedure := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	options := slices.Concat(p.clientOptions(token), []connect.ClientOption{
		connect.WithSchema(method),
		connect.WithResponseInitializer(func(_ connect.Spec, message any) error {
			answer, ok := message.(*dynamicpb.Message)
			if !ok {
				return fmt.Errorf("message of type %T", message)
			}
			*answer = *dynamicpb.NewMessage(method.Output())
			return nil
		}),
	})
	client := connect.NewClient[dynamicpb.Message, dynamicpb.Message](HTTPClient(p.http2), s.URL+procedure, options...)
	answer, err := client.CallUnary(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// GRPCHealth asks grpc.health.v1 for the status of a service. The wrapper messages
// have the same bytes as those of grpc.health.v1: one field, a string or an enum.
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

func (p Protocol) clientOptions(token string) []connect.ClientOption {
	if token == "" {
		return p.options
	}
	bearer := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			req.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, req)
		}
	})
	return append([]connect.ClientOption{connect.WithInterceptors(bearer)}, p.options...)
}
