package transport_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/abuse"
	"clientsd/server/auth"
	"clientsd/server/transport"
)

// deadlines is a service whose one method notes the deadline of the call.
type deadlines struct {
	apiv1connect.UnimplementedClientsServiceHandler

	left chan time.Duration
}

func (d deadlines) GetPublicClients(ctx context.Context, _ *apiv1.GetPublicClientsRequest) (*apiv1.GetPublicClientsResponse, error) {
	deadline, _ := ctx.Deadline()
	d.left <- time.Until(deadline)
	return &apiv1.GetPublicClientsResponse{}, nil
}

// serve serves the service behind a Stack whose default deadline is 4 s.
func serve(t *testing.T, service apiv1connect.ClientsServiceHandler) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	stack := transport.NewStack(transport.Config{
		Rules:       auth.Rules{apiv1connect.ClientsServiceGetPublicClientsProcedure: {Public: true}},
		Failures:    abuse.New(20, time.Now, log),
		Timeout:     4 * time.Second,
		MaxInFlight: 10,
		Log:         log,
	})
	path, handler := apiv1connect.NewClientsServiceHandler(service, stack.HandlerOptions()...)
	mux := http.NewServeMux()
	mux.Handle(path, stack.Service(handler))
	server := httptest.NewUnstartedServer(stack.Handler(mux))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestDeadline_DefaultAndBound(t *testing.T) {
	t.Parallel()
	service := deadlines{left: make(chan time.Duration, 1)}
	url := serve(t, service)
	http2 := &http.Transport{Protocols: new(http.Protocols)}
	http2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(http2.CloseIdleConnections)
	for name, option := range map[string]connect.ClientOption{
		"Connect JSON":  connect.WithProtoJSON(),
		"Connect proto": connect.WithClientOptions(),
		"gRPC":          connect.WithGRPC(),
		"gRPC-Web":      connect.WithGRPCWeb(),
	} {
		client := apiv1connect.NewClientsServiceClient(&http.Client{Transport: http2}, url, option)
		for _, tt := range []struct {
			connect, grpc string // the caller's deadline, as each protocol writes it
			over, under   time.Duration
		}{
			{"", "", 0, 4 * time.Second},
			{"30000", "30S", 4 * time.Second, 30 * time.Second},
			{"60000", "1M", 30 * time.Second, time.Minute},
			{"600000", "600000m", 30 * time.Second, time.Minute},
			{"9999999999", "8760H", 30 * time.Second, time.Minute},
		} {
			ctx, info := connect.NewClientContext(t.Context())
			if tt.connect != "" {
				info.RequestHeader().Set("Connect-Timeout-Ms", tt.connect)
				info.RequestHeader().Set("Grpc-Timeout", tt.grpc)
			}
			if _, err := client.GetPublicClients(ctx, &apiv1.GetPublicClientsRequest{ClientId: []string{"550e8400-e29b-41d4-a716-446655440000"}}); err != nil {
				t.Fatalf("%s, a deadline of %q: %v", name, tt.grpc, err)
			}
			if left := <-service.left; left <= tt.over || left > tt.under {
				t.Errorf("%s, a deadline of %q: %v are left, want more than %v and at most %v", name, tt.grpc, left, tt.over, tt.under)
			}
		}
	}
}
