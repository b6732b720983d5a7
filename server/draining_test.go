package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/servertest"
	"clientsd/server/storage"
)

// A slowCall is a call whose body the server has begun to read.
type slowCall struct {
	body    *io.PipeWriter
	rest    string
	answer  chan *http.Response
	failure chan error
}

// startSlowly sends half of a call and returns once the server has begun to
// read it: until it asks to continue, nothing of the body is sent.
func startSlowly(t *testing.T, url, procedure, token, text string) *slowCall {
	t.Helper()
	body, sent := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+procedure, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	c := &slowCall{body: sent, rest: text[len(text)/2:], answer: make(chan *http.Response, 1), failure: make(chan error, 1)}
	go func() {
		response, err := client.Do(request)
		c.answer <- response
		c.failure <- err
	}()
	if _, err := io.WriteString(sent, text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	return c
}

// rotateSlowly is half of a RegenerateSecret.
func rotateSlowly(t *testing.T, s *servertest.Server, clientID string) *slowCall {
	t.Helper()
	return startSlowly(t, s.URL, clientsService+"RegenerateSecret", s.Token(t, servertest.All...),
		fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, clientID))
}

func isBusy(t *testing.T, url string) bool {
	t.Helper()
	clients := apiv1connect.NewClientsServiceClient(servertest.HTTPClient(false), url)
	_, err := clients.GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{ClientId: []string{"x"}})
	return connect.CodeOf(err) == connect.CodeUnavailable
}

// finish sends the rest of the call and returns its answer.
func (c *slowCall) finish(t *testing.T) map[string]any {
	t.Helper()
	if _, err := io.WriteString(c.body, c.rest); err != nil {
		t.Fatal(err)
	}
	if err := c.body.Close(); err != nil {
		t.Fatal(err)
	}
	response := <-c.answer
	if err := <-c.failure; err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s (%v)", response.Status, text, err)
	}
	return object(t, text)
}

func oneCallAtATime(c *server.Config) { c.MaxInFlight = 1 }

const tooManyCalls = "too many calls at once, or shutting down: try again in a second"

func TestACallOverTheBoundIsToldToComeBack(t *testing.T) {
	s := servertest.Start(t, oneCallAtATime)
	id := s.Create(t, servertest.Request()).GetClientId()
	slow := rotateSlowly(t, s, id)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			_, err := s.Clients(protocol, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
			wantError(t, err, connect.CodeUnavailable, tooManyCalls)
		})
	}
	response, _ := s.PostJSON(t, clientsService+"GetClient", token, `{}`)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
	if response, _ := get(t, s, "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("/readyz of a busy server: got %s", response.Status)
	}
	secret, _ := slow.finish(t)["clientSecret"].(string)
	for isBusy(t, s.URL) { // its place is free only after its answer was sent
		time.Sleep(time.Millisecond)
	}
	wantOnlySecret(t, s, id, 2, secret)
}

func isReady(t *testing.T, s *servertest.Server) bool {
	t.Helper()
	ready, _ := get(t, s, "/readyz")
	return ready.StatusCode == http.StatusOK
}

func TestAServerThatStopsFinishesTheCallsItHasAndTakesNoOthers(t *testing.T) {
	s := servertest.Start(t, oneCallAtATime)
	made := s.Create(t, servertest.Request())
	slow := rotateSlowly(t, s, made.GetClientId())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop(t)
	}()
	ready, reason := get(t, s, "/readyz")
	for ready.StatusCode == http.StatusOK {
		time.Sleep(time.Millisecond)
		ready, reason = get(t, s, "/readyz")
	}
	if ready.StatusCode != http.StatusServiceUnavailable || string(reason) != "shutting down\n" {
		t.Errorf("/readyz: got %s: %s", ready.Status, reason)
	}
	if status, err := grpcHealth(t, s, ""); status != notServing || err != nil {
		t.Errorf("gRPC health: got status %d, error %v", status, err)
	}
	_, err := clientsOf(t, s).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId()})
	wantError(t, err, connect.CodeUnavailable, tooManyCalls)
	select {
	case <-stopped:
		t.Error("the server has stopped before its last call was answered")
	default:
	}

	secret, _ := slow.finish(t)["clientSecret"].(string)
	<-stopped
	if conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")); err == nil {
		t.Error("the server listens after it has stopped")
		_ = conn.Close()
	}
	again := servertest.Start(t, servertest.InDir(s.Dir))
	wantOnlySecret(t, again, made.GetClientId(), 2, secret, made.GetClientSecret())
}

func TestAServerThatStopsGoesOnUntilBalancersHaveNoticed(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.ShutdownDelay = time.Second })
	id := s.Create(t, servertest.Request()).GetClientId()
	clients := clientsOf(t, s)
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

func TestAServerThatCannotFinishInTimeSaysSo(t *testing.T) {
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
	startSlowly(t, s.URL(), clientsService+"GetPublicClients", "", `{"clientId": []}`)
	stop()
	if err := <-ended; err == nil || err.Error() != "drain: calls still ran after 1ns: context deadline exceeded" {
		t.Errorf("got error %v", err)
	}
}

func TestACallWithoutADeadlineHasTheDefaultOne(t *testing.T) {
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
			wantError(t, err, connect.CodeDeadlineExceeded, message)
			_, err = clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: made.GetClientId()})
			wantError(t, err, connect.CodeDeadlineExceeded, message)

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := clients.GetClient(ctx, &apiv1.GetClientRequest{ClientId: made.GetClientId()}); err != nil {
				t.Errorf("with a deadline of its own: %v", err)
			}
		})
	}
	wantEvents(t, s, made.GetClientId(), "created 1 released")
}
