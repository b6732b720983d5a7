package rotation_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// What a caller reads when a key cannot give the result it stands for.
const (
	mismatch   = "this idempotency key was used for another request"
	superseded = "a later rotation has replaced the secret this call made"
)

func TestIdempotency_RepeatedRotation(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeManage)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		before := s.Create(t, servertest.Request())
		id, clients := before.GetClientId(), s.Clients(protocol, token)
		key, otherKey := "key over "+protocol.Name, "other key over "+protocol.Name
		first := servertest.RotateWithKey(t, clients, key, servertest.RotateRequest(id))
		servertest.WantSameMessage(t, first, servertest.RotateWithKey(t, clients, key, servertest.RotateRequest(id)))
		s.WantOnlySecret(t, id, 2, first.GetClientSecret(), before.GetClientSecret())

		silent := servertest.RotateWithKey(t, clients, otherKey, &apiv1.RegenerateSecretRequest{ClientId: id})
		again := servertest.RotateWithKey(t, clients, otherKey, &apiv1.RegenerateSecretRequest{ClientId: id})
		if servertest.WantSameMessage(t, silent, again); again.ClientSecret != nil || again.GetSecretVersion() != 3 {
			t.Errorf("a call that asks for no secret got version %d and a secret: %v", again.GetSecretVersion(), again.ClientSecret != nil)
		}
		s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released", "secret_read 2 released", "secret_rotated 3")
	})
}

func TestIdempotency_RepeatedRegistration(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeManage)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		clients := s.Clients(protocol, token)
		create := func(key string, request *apiv1.CreateClientRequest) *apiv1.Client {
			answer, err := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), key), request)
			if err != nil {
				t.Fatal(err)
			}
			return answer.GetClient()
		}
		confidential, open := protocol.Name+", confidential", protocol.Name+", public"
		first, public := create(confidential, servertest.Request()), create(open, servertest.PublicRequest())
		servertest.WantSameMessage(t, first, create(confidential, servertest.Request()))
		servertest.WantSameMessage(t, public, create(open, servertest.PublicRequest()))
		s.WantEvents(t, first.GetClientId(), "created 1 released", "secret_read 1 released")
		s.WantEvents(t, public.GetClientId(), "created 0")
		if another := create(protocol.Name, servertest.Request()); another.GetClientId() == first.GetClientId() {
			t.Error("another key made no other client")
		}
	})
}

func TestIdempotency_KeyOfAnotherRequest(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage, servertest.ScopeRead))
	id, other := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	servertest.RotateWithKey(t, clients, "rotation", servertest.RotateRequest(id))
	if _, err := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), "registration"), servertest.Request()); err != nil {
		t.Fatal(err)
	}
	before, otherBefore := s.Row(t, id), s.Row(t, other)
	for name, change := range map[string]func(*apiv1.RegenerateSecretRequest){
		"another client":   func(r *apiv1.RegenerateSecretRequest) { r.ClientId = other },
		"no secret":        func(r *apiv1.RegenerateSecretRequest) { r.IncludeSecret = false },
		"an overlap":       func(r *apiv1.RegenerateSecretRequest) { r.PreviousSecretValidFor = durationpb.New(time.Hour) },
		"a version":        func(r *apiv1.RegenerateSecretRequest) { r.ExpectedSecretVersion = proto.Int64(2) },
		"a replacement":    func(r *apiv1.RegenerateSecretRequest) { r.ReplacePrevious = proto.Bool(true) },
		"a reason":         func(r *apiv1.RegenerateSecretRequest) { r.Reason = proto.String("leaked") },
		"no such client":   func(r *apiv1.RegenerateSecretRequest) { r.ClientId = "550e8400-e29b-41d4-a716-446655440000" },
		"a version behind": func(r *apiv1.RegenerateSecretRequest) { r.ExpectedSecretVersion = proto.Int64(1) },
	} {
		request := servertest.RotateRequest(id)
		change(request)
		t.Run(name, func(t *testing.T) {
			_, err := clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "rotation"), request)
			servertest.WantError(t, err, connect.CodeInvalidArgument, mismatch)
			servertest.WantReason(t, err, "IDEMPOTENCY_MISMATCH")
		})
	}
	_, err := clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "registration"), servertest.RotateRequest(id))
	servertest.WantError(t, err, connect.CodeInvalidArgument, mismatch)
	for _, key := range []string{"registration", "rotation"} {
		_, err = clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), key), servertest.PublicRequest())
		servertest.WantError(t, err, connect.CodeInvalidArgument, mismatch)
	}
	servertest.WantSameRow(t, before, s.Row(t, id))
	servertest.WantSameRow(t, otherBefore, s.Row(t, other))
	list, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(list.GetClients()) != 3 {
		t.Errorf("got %d clients, error %v, want 3", len(list.GetClients()), err)
	}
}

func TestIdempotency_SupersededSecret(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage))
	answer, err := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), "registration"), servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	id := answer.GetClient().GetClientId()
	servertest.RotateWithKey(t, clients, "first", servertest.RotateRequest(id))
	second := servertest.RotateWithKey(t, clients, "second", servertest.RotateRequest(id))
	_, firstErr := clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "first"), servertest.RotateRequest(id))
	_, madeErr := clients.CreateClient(servertest.WithIdempotencyKeys(t.Context(), "registration"), servertest.Request())
	for _, err := range []error{firstErr, madeErr} {
		servertest.WantError(t, err, connect.CodeFailedPrecondition, superseded)
		servertest.WantReason(t, err, "SUPERSEDED")
	}
	servertest.WantSameMessage(t, second, servertest.RotateWithKey(t, clients, "second", servertest.RotateRequest(id)))
	s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released", "secret_rotated 3 released", "secret_read 3 released")
}

func TestIdempotency_RepeatedCallIsAuthorised(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage))
	id := s.Create(t, servertest.Request()).GetClientId()
	servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id))
	_, err := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeRead)).RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(id))
	servertest.WantError(t, err, connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:rotate" or "oauth:clients:manage"`)
	_, err = s.Clients(servertest.ConnectJSON, s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeManage}, Organisation: "other"})).
		RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(id))
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(id))
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
	s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released", "deleted 2")
}

func TestIdempotency_KeyLastsADay(t *testing.T) {
	var clock hands
	dir := t.TempDir()
	s := servertest.Start(t, clock.set, servertest.InDir(dir))
	grant := issuer.Grant{Scopes: []string{servertest.ScopeManage, servertest.ScopeVerify}, TTL: 72 * time.Hour}
	id := s.Create(t, servertest.Request()).GetClientId()
	first := servertest.RotateWithKey(t, s.Clients(servertest.ConnectJSON, s.Mint(t, grant)), "key", servertest.RotateRequest(id))
	s.Stop(t)
	again := servertest.Start(t, clock.set, servertest.InDir(dir))
	clients := again.Clients(servertest.ConnectJSON, again.Mint(t, grant))
	clock.move(24*time.Hour - time.Minute)
	if repeated := servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id)); repeated.GetClientSecret() != first.GetClientSecret() {
		t.Error("within a day the repeated call has another secret")
	}
	clock.move(2 * time.Minute)
	second := servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id))
	if second.GetSecretVersion() != 3 || second.GetClientSecret() == first.GetClientSecret() {
		t.Errorf("after a day the key is not free: got version %d", second.GetSecretVersion())
	}
	servertest.WantSameMessage(t, second, servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id)))
	again.WantHistory(t, id, 3)
}

func TestIdempotency_FailedCallIsNotRemembered(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage))
	public, id := s.Create(t, servertest.PublicRequest()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	_, err := clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(public))
	servertest.WantError(t, err, connect.CodeFailedPrecondition, "client is public: it has no secret")
	behind := servertest.RotateRequest(id)
	behind.ExpectedSecretVersion = proto.Int64(2)
	for range 2 {
		_, err = clients.RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), behind)
		servertest.WantError(t, err, connect.CodeAborted, "the client has another secret version than expected: nothing was changed")
	}
	servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id))
	s.WantHistory(t, id, 2)
}

func TestIdempotency_ConcurrentCalls(t *testing.T) {
	const callers = 32
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, servertest.ScopeManage)
	answers := make([]*apiv1.Client, callers)
	servertest.Concurrently(callers, func(i int) {
		protocols := servertest.Protocols()
		answer, err := s.Clients(protocols[i%len(protocols)], token).RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(id))
		if err != nil && connect.CodeOf(err) != connect.CodeAborted {
			t.Error(err)
		}
		answers[i] = answer
	})
	want := servertest.RotateWithKey(t, s.Clients(servertest.ConnectJSON, token), "key", servertest.RotateRequest(id)).GetClientSecret()
	answers = slices.DeleteFunc(answers, func(a *apiv1.Client) bool { return a == nil })
	for _, answer := range answers {
		if answer.GetClientSecret() != want {
			t.Error("two calls were answered with different secrets")
		}
	}
	if len(answers) == 0 {
		t.Error("no call of all was answered")
	}
	s.WantOnlySecret(t, id, 2, want)
	s.WantHistory(t, id, 2)
}
