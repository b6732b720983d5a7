package serving_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/storage"
)

func TestMaxInFlight_OneCallTooMany(t *testing.T) {
	s := servertest.Start(t, servertest.OneCallAtATime)
	id := s.Create(t, servertest.Request()).GetClientId()
	var rotated *apiv1.Client
	release := s.Hold(t, id, func() bool {
		var err error
		rotated, err = s.ClientsService(t).RegenerateSecret(t.Context(), servertest.RotateRequest(id))
		return connect.CodeOf(err) == connect.CodeUnavailable
	})
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			_, err := s.Clients(protocol, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
			servertest.WantError(t, err, connect.CodeUnavailable, servertest.TooManyCalls)
			if _, err := s.Clients(protocol, "").GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{ClientId: []string{id}}); err != nil {
				t.Errorf("a call that needs no token: %v", err)
			}
		})
	}
	response, _ := s.PostJSON(t, servertest.ClientsPath+"GetClient", token, `{}`)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
	if !isReady(t, s) {
		t.Error("a busy server is not ready")
	}
	release()
	s.WantOnlySecret(t, id, 2, rotated.GetClientSecret())
}

func isReady(t *testing.T, s *servertest.Server) bool {
	t.Helper()
	ready, _ := s.Get(t, "/readyz")
	return ready.StatusCode == http.StatusOK
}

func TestStop_FinishesRunningCalls(t *testing.T) {
	s := servertest.Start(t, servertest.OneCallAtATime)
	made := s.Create(t, servertest.Request())
	slow := s.RotateSlowly(t, made.GetClientId())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop(t)
	}()
	ready, reason := s.Get(t, "/readyz")
	for ready.StatusCode == http.StatusOK {
		time.Sleep(time.Millisecond)
		ready, reason = s.Get(t, "/readyz")
	}
	if ready.StatusCode != http.StatusServiceUnavailable || string(reason) != "shutting down\n" {
		t.Errorf("/readyz: got %s: %s", ready.Status, reason)
	}
	if status, err := s.GRPCHealth(t, ""); status != notServing || err != nil {
		t.Errorf("gRPC health: got status %d, error %v", status, err)
	}
	_, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId()})
	servertest.WantError(t, err, connect.CodeUnavailable, servertest.TooManyCalls)
	select {
	case <-stopped:
		t.Error("the server has stopped before its last call was answered")
	default:
	}

	secret, _ := slow.Finish(t)["clientSecret"].(string)
	<-stopped
	if conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")); err == nil {
		t.Error("the server listens after it has stopped")
		_ = conn.Close()
	}
	again := servertest.Start(t, servertest.InDir(s.Dir))
	again.WantOnlySecret(t, made.GetClientId(), 2, secret, made.GetClientSecret())
}

func TestStop_WaitsForBalancers(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.ShutdownDelay = time.Second })
	id := s.Create(t, servertest.Request()).GetClientId()
	clients := s.ClientsService(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop(t)
	}()
	for isReady(t, s) {
		time.Sleep(time.Millisecond)
	}
	if _, err := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id}); err != nil {
		t.Errorf("got error %v", err)
	}
	<-stopped
}

// Nobody can keep a server from stopping without a token.
func TestStop_RequestsWithoutATokenHang(t *testing.T) {
	s := servertest.StartWatched(t)
	s.Flood(t, 10, http.MethodPost, servertest.ClientsPath+"GetPublicClients", "content-type", "application/json", "content-length", "50")
	s.Flood(t, 10, http.MethodGet, "/openapi.yaml")
	s.Want(t, "clientsd_calls_in_flight", map[string]float64{"": 20})
	s.Stop(t)
	if !strings.Contains(s.Logs.String(), "did not wait longer for requests without a token") {
		t.Error("the server has waited for them")
	}
}

func TestStop_CallsRunTooLong(t *testing.T) {
	s, err := server.New(t.Context(), server.Config{
		Addr: "127.0.0.1:0", MaxInFlight: 1, DrainTimeout: time.Nanosecond,
		Storage: storage.Config{Dir: t.TempDir(), Create: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	token, err := s.Issuer().Mint(t.Context(), issuer.Grant{
		Subject: "caller", Audience: server.DefaultAudience, Scopes: []string{servertest.ScopeRead}, TTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	servertest.StartSlowly(t, s.URL(), servertest.ClientsPath+"ListClients", token, "{}")
	stop()
	if err := <-ended; err == nil || err.Error() != "drain: calls still ran after 1ns: context deadline exceeded" {
		t.Errorf("got error %v", err)
	}
}

func TestTimeout_Default(t *testing.T) {
	before := servertest.Start(t)
	made := before.Create(t, servertest.Request())
	before.Stop(t)
	s := servertest.Start(t, servertest.InDir(before.Dir), func(c *server.Config) { c.Timeout = time.Nanosecond })
	token := s.Token(t, servertest.All...)
	const message = "the deadline of the call has passed"
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			clients := s.Clients(protocol, token)
			_, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId()})
			servertest.WantError(t, err, connect.CodeDeadlineExceeded, message)
			_, err = clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: made.GetClientId()})
			servertest.WantError(t, err, connect.CodeDeadlineExceeded, message)

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := clients.GetClient(ctx, &apiv1.GetClientRequest{ClientId: made.GetClientId()}); err != nil {
				t.Errorf("with a deadline of its own: %v", err)
			}
		})
	}
	s.WantEvents(t, made.GetClientId(), "created 1 released")
}
