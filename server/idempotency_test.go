package server_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/issuer"
	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

// What a caller reads when a key cannot give the result it stands for.
const (
	mismatch   = "this idempotency key was used for another request"
	superseded = "a later rotation has replaced the secret this call made"
)

// keyed is a context for one call, which carries these idempotency keys.
func keyed(ctx context.Context, keys ...string) context.Context {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader()[reqctx.IdempotencyHeader] = keys
	return ctx
}

// release is a request to rotate and to show the new secret.
func release(clientID string) *apiv1.RegenerateSecretRequest {
	return &apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true}
}

// mustRegenerate makes a call under a key that must succeed.
func mustRegenerate(t testing.TB, clients apiv1connect.ClientsServiceClient, key string, request *apiv1.RegenerateSecretRequest) *apiv1.Client {
	t.Helper()
	answer, err := clients.RegenerateSecret(keyed(t.Context(), key), request)
	if err != nil {
		t.Fatalf("regenerate secret under %q: %v", key, err)
	}
	return answer
}

// wantSame fails the test unless two answers are one and the same.
func wantSame(t testing.TB, first, repeated proto.Message) {
	t.Helper()
	if diff := cmp.Diff(first, repeated, protocmp.Transform()); diff != "" {
		t.Errorf("the repeated call has another answer (-first +repeated):\n%s", diff)
	}
}

func TestARotationRepeatedUnderItsKeyIsDoneOnce(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, manage)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		before := s.Create(t, servertest.Request())
		id, clients := before.GetClientId(), s.Clients(protocol, token)
		key, otherKey := "key over "+protocol.Name, "other key over "+protocol.Name
		first := mustRegenerate(t, clients, key, release(id))
		wantSame(t, first, mustRegenerate(t, clients, key, release(id)))
		wantOnlySecret(t, s, id, 2, first.GetClientSecret(), before.GetClientSecret())

		silent := mustRegenerate(t, clients, otherKey, &apiv1.RegenerateSecretRequest{ClientId: id})
		again := mustRegenerate(t, clients, otherKey, &apiv1.RegenerateSecretRequest{ClientId: id})
		if wantSame(t, silent, again); again.ClientSecret != nil || again.GetSecretVersion() != 3 {
			t.Errorf("a call that asks for no secret got version %d and a secret: %v", again.GetSecretVersion(), again.ClientSecret != nil)
		}
		wantEvents(t, s, id, "created 1 released", "secret_rotated 2 released", "secret_read 2 released", "secret_rotated 3")
	})
}

func TestARegistrationRepeatedUnderItsKeyIsDoneOnce(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, manage)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		clients := s.Clients(protocol, token)
		create := func(key string, request *apiv1.CreateClientRequest) *apiv1.Client {
			answer, err := clients.CreateClient(keyed(t.Context(), key), request)
			if err != nil {
				t.Fatal(err)
			}
			return answer.GetClient()
		}
		confidential, open := protocol.Name+", confidential", protocol.Name+", public"
		first, public := create(confidential, servertest.Request()), create(open, servertest.PublicRequest())
		wantSame(t, first, create(confidential, servertest.Request()))
		wantSame(t, public, create(open, servertest.PublicRequest()))
		wantEvents(t, s, first.GetClientId(), "created 1 released", "secret_read 1 released")
		wantEvents(t, s, public.GetClientId(), "created 0")
		if another := create(protocol.Name, servertest.Request()); another.GetClientId() == first.GetClientId() {
			t.Error("another key made no other client")
		}
	})
}

func TestAKeyIsGoodForTheSameRequestOnly(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(over, s.Token(t, manage, read))
	id, other := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	mustRegenerate(t, clients, "rotation", release(id))
	if _, err := clients.CreateClient(keyed(t.Context(), "registration"), servertest.Request()); err != nil {
		t.Fatal(err)
	}
	before, otherBefore := s.Row(t, id), s.Row(t, other)
	for name, change := range map[string]func(*apiv1.RegenerateSecretRequest){
		"another client":   func(r *apiv1.RegenerateSecretRequest) { r.ClientId = other },
		"no secret":        func(r *apiv1.RegenerateSecretRequest) { r.IncludeSecret = false },
		"an overlap":       func(r *apiv1.RegenerateSecretRequest) { r.PreviousSecretValidFor = durationpb.New(time.Hour) },
		"a version":        func(r *apiv1.RegenerateSecretRequest) { r.ExpectedSecretVersion = proto.Int64(2) },
		"a reason":         func(r *apiv1.RegenerateSecretRequest) { r.Reason = proto.String("leaked") },
		"no such client":   func(r *apiv1.RegenerateSecretRequest) { r.ClientId = "550e8400-e29b-41d4-a716-446655440000" },
		"a version behind": func(r *apiv1.RegenerateSecretRequest) { r.ExpectedSecretVersion = proto.Int64(1) },
	} {
		request := release(id)
		change(request)
		t.Run(name, func(t *testing.T) {
			_, err := clients.RegenerateSecret(keyed(t.Context(), "rotation"), request)
			wantError(t, err, connect.CodeInvalidArgument, mismatch)
			wantReason(t, err, "IDEMPOTENCY_MISMATCH")
		})
	}
	_, err := clients.RegenerateSecret(keyed(t.Context(), "registration"), release(id))
	wantError(t, err, connect.CodeInvalidArgument, mismatch)
	for _, key := range []string{"registration", "rotation"} {
		_, err = clients.CreateClient(keyed(t.Context(), key), servertest.PublicRequest())
		wantError(t, err, connect.CodeInvalidArgument, mismatch)
	}
	wantSameRow(t, before, s.Row(t, id))
	wantSameRow(t, otherBefore, s.Row(t, other))
	list, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(list.GetClients()) != 3 {
		t.Errorf("got %d clients, error %v, want 3", len(list.GetClients()), err)
	}
}

func TestAReplacedSecretIsNotRepeated(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(over, s.Token(t, manage))
	answer, err := clients.CreateClient(keyed(t.Context(), "registration"), servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	id := answer.GetClient().GetClientId()
	mustRegenerate(t, clients, "first", release(id))
	second := mustRegenerate(t, clients, "second", release(id))
	_, firstErr := clients.RegenerateSecret(keyed(t.Context(), "first"), release(id))
	_, madeErr := clients.CreateClient(keyed(t.Context(), "registration"), servertest.Request())
	for _, err := range []error{firstErr, madeErr} {
		wantError(t, err, connect.CodeFailedPrecondition, superseded)
		wantReason(t, err, "SUPERSEDED")
	}
	wantSame(t, second, mustRegenerate(t, clients, "second", release(id)))
	wantEvents(t, s, id, "created 1 released", "secret_rotated 2 released", "secret_rotated 3 released", "secret_read 3 released")
}

func TestARepeatedCallIsAuthorisedAnew(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(over, s.Token(t, manage))
	id := s.Create(t, servertest.Request()).GetClientId()
	mustRegenerate(t, clients, "key", release(id))
	_, err := s.Clients(over, s.Token(t, read)).RegenerateSecret(keyed(t.Context(), "key"), release(id))
	wantError(t, err, connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:manage"`)
	_, err = s.Clients(over, s.Mint(t, issuer.Grant{Scopes: []string{manage}, Organisation: "other"})).
		RegenerateSecret(keyed(t.Context(), "key"), release(id))
	wantError(t, err, connect.CodeNotFound, "client not found")
	if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = clients.RegenerateSecret(keyed(t.Context(), "key"), release(id))
	wantError(t, err, connect.CodeNotFound, "client not found")
	wantEvents(t, s, id, "created 1 released", "secret_rotated 2 released", "deleted 2")
}

func TestAKeyLastsADayAlsoAcrossARestart(t *testing.T) {
	var clock hands
	dir := t.TempDir()
	s := servertest.Start(t, clock.set, servertest.InDir(dir))
	grant := issuer.Grant{Scopes: []string{manage, verify}, TTL: 72 * time.Hour}
	id := s.Create(t, servertest.Request()).GetClientId()
	first := mustRegenerate(t, s.Clients(over, s.Mint(t, grant)), "key", release(id))
	s.Stop(t)
	again := servertest.Start(t, clock.set, servertest.InDir(dir))
	clients := again.Clients(over, again.Mint(t, grant))
	clock.move(24*time.Hour - time.Minute)
	if repeated := mustRegenerate(t, clients, "key", release(id)); repeated.GetClientSecret() != first.GetClientSecret() {
		t.Error("within a day the repeated call has another secret")
	}
	clock.move(2 * time.Minute)
	second := mustRegenerate(t, clients, "key", release(id))
	if second.GetSecretVersion() != 3 || second.GetClientSecret() == first.GetClientSecret() {
		t.Errorf("after a day the key is not free: got version %d", second.GetSecretVersion())
	}
	wantSame(t, second, mustRegenerate(t, clients, "key", release(id)))
	wantHistory(t, again, id, 3)
}

func TestACallThatFailedIsNotRemembered(t *testing.T) {
	s := servertest.Start(t)
	clients := s.Clients(over, s.Token(t, manage))
	public, id := s.Create(t, servertest.PublicRequest()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	_, err := clients.RegenerateSecret(keyed(t.Context(), "key"), release(public))
	wantError(t, err, connect.CodeFailedPrecondition, "client is public: it has no secret")
	behind := release(id)
	behind.ExpectedSecretVersion = proto.Int64(2)
	for range 2 {
		_, err = clients.RegenerateSecret(keyed(t.Context(), "key"), behind)
		wantError(t, err, connect.CodeAborted, "the client has another secret version than expected: nothing was changed")
	}
	mustRegenerate(t, clients, "key", release(id))
	wantHistory(t, s, id, 2)
}

func TestCallsAtOnceUnderOneKeyRotateOnce(t *testing.T) {
	const callers = 32
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, manage)
	answers := make([]*apiv1.Client, callers)
	together(callers, func(i int) {
		protocols := servertest.Protocols()
		answer, err := s.Clients(protocols[i%len(protocols)], token).RegenerateSecret(keyed(t.Context(), "key"), release(id))
		if err != nil && connect.CodeOf(err) != connect.CodeAborted {
			t.Error(err)
		}
		answers[i] = answer
	})
	want := mustRegenerate(t, s.Clients(over, token), "key", release(id)).GetClientSecret()
	answers = slices.DeleteFunc(answers, func(a *apiv1.Client) bool { return a == nil })
	for _, answer := range answers {
		if answer.GetClientSecret() != want {
			t.Error("two calls were answered with different secrets")
		}
	}
	if len(answers) == 0 {
		t.Error("no call of all was answered")
	}
	wantOnlySecret(t, s, id, 2, want)
	wantHistory(t, s, id, 2)
}
