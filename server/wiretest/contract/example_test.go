package contract_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/storage"
)

// The generated client speaks Connect over any HTTP client.
func Example_connect() {
	err := withService(func(ctx context.Context, url, token string) error {
		client := apiv1connect.NewClientsServiceClient(http.DefaultClient, url,
			connect.WithInterceptors(bearer(token)))
		return createAndRotate(ctx, client)
	})
	fmt.Println("error:", err)
	// Output:
	// created My Go App
	// a new secret: true
	// error: <nil>
}

// gRPC needs HTTP/2. Without TLS that is h2c, which golang.org/x/net/http2 speaks
// when it may and dials plainly.
func Example_grpc() {
	err := withService(func(ctx context.Context, url, token string) error {
		h2c := &http.Client{Transport: &http2.Transport{ //nolint:staticcheck // most callers have it; net/http does since Go 1.24
			AllowHTTP: true,
			DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			},
		}}
		client := apiv1connect.NewClientsServiceClient(h2c, url,
			connect.WithGRPC(), connect.WithInterceptors(bearer(token)))
		return createAndRotate(ctx, client)
	})
	fmt.Println("error:", err)
	// Output:
	// created My Go App
	// a new secret: true
	// error: <nil>
}

// bearer sends the access token with every call.
func bearer(token string) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			request.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, request)
		}
	}
}

func createAndRotate(ctx context.Context, client apiv1connect.ClientsServiceClient) error {
	created, err := client.CreateClient(ctx, &apiv1.CreateClientRequest{
		HasSecret:   true,
		Name:        "My Go App",
		Description: "Calls the service from Go",
		RedirectUri: "https://myapp.example.com/oauth/callback",
		WebsiteUrl:  "https://myapp.example.com",
	})
	if err != nil {
		return err
	}
	fmt.Println("created", created.GetClient().GetName())
	rotated, err := client.RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{
		ClientId:      created.GetClient().GetClientId(),
		IncludeSecret: true,
	})
	if err != nil {
		return err
	}
	fmt.Println("a new secret:", rotated.GetClientSecret() != created.GetClient().GetClientSecret())
	return nil
}

// withService calls a service on a temporary folder, with a token for it.
func withService(call func(ctx context.Context, url, token string) error) (err error) {
	dir, err := os.MkdirTemp("", "clientsd-example-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s, err := server.New(ctx, server.Config{
		Addr:    "127.0.0.1:0",
		Storage: storage.Config{Dir: dir, Create: true},
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	token, err := s.Issuer().Mint(context.Background(), issuer.Grant{
		Subject:  "urn:xeonr:serviceaccount:example",
		Audience: server.DefaultAudience,
		Scopes:   []string{auth.ScopeManage},
		TTL:      time.Hour,
	})
	if err == nil {
		err = call(ctx, s.URL(), token)
	}
	stop()
	return errors.Join(err, <-ended)
}
