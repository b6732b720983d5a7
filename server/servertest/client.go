package servertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
)

// A Protocol is one way to speak to the service.
type Protocol struct {
	// Name is for the names of tests.
	Name string

	options []connect.ClientOption
	http2   bool
}

// Protocols are all the ways a generated client can speak.
func Protocols() []Protocol {
	return []Protocol{
		{Name: "Connect JSON", options: []connect.ClientOption{connect.WithProtoJSON()}},
		{Name: "Connect proto"},
		{Name: "Connect proto over HTTP/2", http2: true},
		{Name: "gRPC", options: []connect.ClientOption{connect.WithGRPC()}, http2: true},
		{Name: "gRPC-Web", options: []connect.ClientOption{connect.WithGRPCWeb()}},
	}
}

// EachProtocol runs body once for each protocol.
func EachProtocol(t *testing.T, body func(*testing.T, Protocol)) {
	t.Helper()
	for _, protocol := range Protocols() {
		t.Run(protocol.Name, func(t *testing.T) { body(t, protocol) })
	}
}

// Clients is the mirrored service as the holder of token sees it. An empty
// token sends none.
func (s *Server) Clients(p Protocol, token string) apiv1connect.ClientsServiceClient {
	return apiv1connect.NewClientsServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
}

// Secrets is our own service as the holder of token sees it.
func (s *Server) Secrets(p Protocol, token string) clientsdv1connect.SecretsServiceClient {
	return clientsdv1connect.NewSecretsServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
}

// Management is ZITADEL's service as the holder of token sees it.
func (s *Server) Management(p Protocol, token string) managementv1connect.ManagementServiceClient {
	return managementv1connect.NewManagementServiceClient(HTTPClient(p.http2), s.URL, p.clientOptions(token)...)
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

// PostJSON sends body as curl would, and returns the answer as it came.
func (s *Server) PostJSON(t testing.TB, procedure, token, body string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+procedure, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Connect-Protocol-Version", "1")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return Do(t, request)
}

// Do sends a request over HTTP/1.1 and reads the whole answer.
func Do(t testing.TB, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := HTTPClient(false).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// HTTPClient speaks HTTP/1.1, or HTTP/2 without TLS.
func HTTPClient(http2 bool) *http.Client {
	if http2 {
		return http2Client
	}
	return http1Client
}

var (
	http1Client = newHTTPClient(false)
	http2Client = newHTTPClient(true)
)

func newHTTPClient(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{
		Transport:     &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 128},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
