package contract_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/issuer"
	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

// The kinds of event, by short names.
const (
	created         = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_CREATED
	updated         = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_UPDATED
	deleted         = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_DELETED
	logoUploaded    = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_LOGO_UPLOADED
	rotated         = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_SECRET_ROTATED
	secretRead      = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_SECRET_READ
	previousRevoked = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_PREVIOUS_SECRET_REVOKED
)

// A storyteller makes calls about one client and keeps the events that they
// must leave.
type storyteller struct {
	servertest.Remote

	name    string // no other has it
	token   string
	clients apiv1connect.ClientsServiceClient
	secrets clientsdv1connect.SecretsServiceClient
	zitadel managementv1connect.ManagementServiceClient

	id     string
	events []*clientsdv1.ClientEvent // the newest first
}

func newStoryteller(r servertest.Remote, p servertest.Protocol, token string) *storyteller {
	return &storyteller{Remote: r, name: p.Name, token: token, clients: r.Clients(p, token), secrets: r.Secrets(p, token), zitadel: r.Management(p, token)}
}

// step makes an RPC that must succeed and leave this event. Calls that leave the
// same version of the secret go under the same idempotency key.
func (s *storyteller) step(t *testing.T, e *clientsdv1.ClientEvent, rpc func(context.Context) error) {
	t.Helper()
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set(reqctx.IdempotencyHeader, fmt.Sprintf("%s %d", s.name, e.GetSecretVersion()))
	if err := rpc(ctx); err != nil {
		t.Fatalf("%v: %v", e.GetKind(), err)
	}
	s.keep(e, info.ResponseHeader())
}

// ask sends a request to a REST API that must leave this event.
func (s *storyteller) ask(t *testing.T, e *clientsdv1.ClientEvent, path string) {
	t.Helper()
	s.keep(e, s.CallREST(t, http.MethodPost, path, s.token, "{}").Header)
}

// keep completes an event by what the answer and the token say.
func (s *storyteller) keep(e *clientsdv1.ClientEvent, answer http.Header) {
	e.ClientId, e.RequestId, e.Address = s.id, answer.Get(reqctx.IDHeader), "127.0.0.1"
	e.Actor = &clientsdv1.ClientEventActor{Issuer: s.Issuer.URL, Subject: "urn:xeonr:user:1", ClientId: "console", Organisation: "acme"}
	s.events = append([]*clientsdv1.ClientEvent{e}, s.events...)
}

func (s *storyteller) create(ctx context.Context) error {
	made, err := s.clients.CreateClient(ctx, servertest.Request())
	s.id = made.GetClient().GetClientId()
	return err
}

func (s *storyteller) update(ctx context.Context) error {
	_, err := s.clients.UpdateClient(ctx, &apiv1.UpdateClientRequest{ClientId: s.id, Name: proto.String("Renamed")})
	return err
}

func (s *storyteller) show(ctx context.Context) error {
	_, err := s.clients.GetClient(ctx, &apiv1.GetClientRequest{ClientId: s.id, IncludeSecret: true})
	return err
}

func (s *storyteller) delete(ctx context.Context) error {
	_, err := s.clients.DeleteClient(ctx, &apiv1.DeleteClientRequest{ClientId: s.id})
	return err
}

func (s *storyteller) revoke(ctx context.Context) error {
	_, err := s.secrets.RevokePreviousSecret(ctx, &clientsdv1.RevokePreviousSecretRequest{ClientId: s.id})
	return err
}

func (s *storyteller) rotateOverZITADEL(ctx context.Context) error {
	_, err := s.zitadel.RegenerateOIDCClientSecret(ctx, &managementv1.RegenerateOIDCClientSecretRequest{ProjectId: servertest.Application, AppId: s.id})
	return err
}

func (s *storyteller) rotate(request *apiv1.RegenerateSecretRequest) func(context.Context) error {
	request.ClientId = s.id
	return func(ctx context.Context) error {
		_, err := s.clients.RegenerateSecret(ctx, request)
		return err
	}
}

func TestListClientEvents_OfEveryChange(t *testing.T) {
	r := servertest.StartRemote(t)
	token := r.Sign(t, map[string]any{"scope": strings.Join(servertest.AllAPIs, " ")}, nil)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		s := newStoryteller(r, protocol, token)
		const reason = "in a public repository: 部署 “prod”"
		s.step(t, &clientsdv1.ClientEvent{Kind: created, SecretVersion: 1, SecretReleased: true, Api: "xeonr"}, s.create)
		s.step(t, &clientsdv1.ClientEvent{Kind: updated, SecretVersion: 1, Api: "xeonr"}, s.update)
		s.step(t, &clientsdv1.ClientEvent{Kind: logoUploaded, SecretVersion: 1, Api: "xeonr"}, func(ctx context.Context) error {
			_, err := s.clients.UploadClientLogo(ctx, &apiv1.UploadClientLogoRequest{ClientId: s.id, LogoData: servertest.PNG(t, 2, 2, servertest.Red), ContentType: "image/png"})
			return err
		})
		leaked := s.rotate(&apiv1.RegenerateSecretRequest{IncludeSecret: true, Reason: proto.String(reason)})
		s.step(t, &clientsdv1.ClientEvent{Kind: rotated, SecretVersion: 2, SecretReleased: true, Api: "xeonr", Reason: reason}, leaked)
		s.step(t, &clientsdv1.ClientEvent{Kind: secretRead, SecretVersion: 2, SecretReleased: true, Api: "xeonr"}, leaked)
		s.step(t, &clientsdv1.ClientEvent{Kind: secretRead, SecretVersion: 2, SecretReleased: true, Api: "xeonr"}, s.show)
		overlap := s.rotate(&apiv1.RegenerateSecretRequest{PreviousSecretValidFor: durationpb.New(time.Hour)})
		s.step(t, &clientsdv1.ClientEvent{Kind: rotated, SecretVersion: 3, Api: "xeonr"}, overlap)
		s.step(t, &clientsdv1.ClientEvent{Kind: previousRevoked, SecretVersion: 3, Api: "clientsd"}, s.revoke)
		s.step(t, &clientsdv1.ClientEvent{Kind: rotated, SecretVersion: 4, SecretReleased: true, Api: "zitadel"}, s.rotateOverZITADEL)
		s.ask(t, &clientsdv1.ClientEvent{Kind: rotated, SecretVersion: 5, SecretReleased: true, Api: "zitadel"}, servertest.ZitadelPath(servertest.Application, s.id))
		s.ask(t, &clientsdv1.ClientEvent{Kind: rotated, SecretVersion: 6, SecretReleased: true, Api: "vigilo"}, "/client/"+s.id+"/regenerate-secret")
		s.step(t, &clientsdv1.ClientEvent{Kind: deleted, SecretVersion: 6, Api: "xeonr"}, s.delete)

		got := listEvents(t, s.Server, protocol, token, &clientsdv1.ListClientEventsRequest{ClientId: s.id})
		want := &clientsdv1.ListClientEventsResponse{Events: s.events}
		if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&clientsdv1.ClientEvent{}, "at")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestListClientEvents_Times(t *testing.T) {
	s := servertest.Start(t, servertest.TickingClock)
	made := s.Create(t, servertest.Request())
	rotated, err := s.ClientsService(t).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: made.GetClientId()})
	if err != nil {
		t.Fatal(err)
	}
	got := listEvents(t, s, servertest.ConnectJSON, s.Token(t, servertest.ScopeRead), &clientsdv1.ListClientEventsRequest{ClientId: made.GetClientId()}).GetEvents()
	for i, since := range []time.Time{rotated.GetSecretCreatedAt().AsTime(), made.GetSecretCreatedAt().AsTime()} {
		if after := got[i].GetAt().AsTime().Sub(since); after < 0 || after > time.Minute {
			t.Errorf("%v is of %v after the secret it tells of", got[i].GetKind(), after)
		}
	}
	if !got[0].GetAt().AsTime().After(got[1].GetAt().AsTime()) {
		t.Errorf("the second event is of %v, the first of %v", got[0].GetAt().AsTime(), got[1].GetAt().AsTime())
	}
}

func TestListClientEvents_RequestIDOfTheCaller(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.AllAPIs...)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set(reqctx.IDHeader, "deploy-17.3_b")
		_, err := s.Clients(protocol, token).RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{ClientId: id})
		if got := info.ResponseHeader().Get(reqctx.IDHeader); err != nil || got != "deploy-17.3_b" {
			t.Errorf("the answer has the request id %q, error %v", got, err)
		}
		newest := listEvents(t, s, protocol, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 1}).GetEvents()[0]
		if newest.GetRequestId() != "deploy-17.3_b" {
			t.Errorf("the event has the request id %q", newest.GetRequestId())
		}
	})
}

func TestReason_IsAShortText(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeManage, servertest.ScopeRead)
	id := s.Create(t, servertest.Request()).GetClientId()
	for name, tt := range map[string]struct {
		reason string
		ok     bool
	}{
		"empty":                     {"", true},
		"256 characters":            {strings.Repeat("x", 256), true},
		"256 characters of 4 bytes": {strings.Repeat("🦊", 256), true},
		"what looks like an escape": {`\n\u0000%0a"';<script>`, true},
		"257 characters":            {strings.Repeat("x", 257), false},
		"a line break":              {"leaked\nlevel=INFO msg=forged", false},
		"a carriage return":         {"leaked\r", false},
		"a tab":                     {"leaked\there", false},
		"a NUL":                     {"\x00", false},
		"an escape of the terminal": {"\x1b[2J", false},
		"DEL":                       {"\x7f", false},
		"a control character of C1": {"\u0085", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Row(t, id)
			_, err := s.Clients(servertest.ConnectJSON, token).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id, Reason: &tt.reason})
			if !tt.ok {
				servertest.WantViolations(t, err, "reason")
				servertest.WantSameRow(t, before, s.Row(t, id))
				return
			}
			newest := listEvents(t, s, servertest.ConnectJSON, token, &clientsdv1.ListClientEventsRequest{ClientId: id, PageSize: 1}).GetEvents()[0]
			if err != nil || newest.GetReason() != tt.reason || newest.GetSecretVersion() != before.SecretVersion+1 {
				t.Errorf("got the event %v, error %v", newest, err)
			}
		})
	}
}

func TestListClientEvents_RefusedCallsLeaveNone(t *testing.T) {
	s := servertest.Start(t)
	id, public := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	token := s.Token(t, servertest.ScopeManage, servertest.ScopeRead)
	clients, secrets := s.Clients(servertest.ConnectJSON, token), s.Secrets(servertest.ConnectJSON, token)
	regenerate := func(token string, request *apiv1.RegenerateSecretRequest) error {
		_, err := s.Clients(servertest.ConnectJSON, token).RegenerateSecret(t.Context(), request)
		return err
	}
	for name, err := range map[string]error{
		"a version behind":     regenerate(token, &apiv1.RegenerateSecretRequest{ClientId: id, ExpectedSecretVersion: proto.Int64(7)}),
		"too long an overlap":  regenerate(token, &apiv1.RegenerateSecretRequest{ClientId: id, PreviousSecretValidFor: durationpb.New(1 << 62)}),
		"a public client":      regenerate(token, servertest.RotateRequest(public)),
		"no scope":             regenerate(s.Token(t, servertest.ScopeRead), servertest.RotateRequest(id)),
		"no token":             regenerate("", servertest.RotateRequest(id)),
		"another organisation": regenerate(s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeManage}, Organisation: "other"}), servertest.RotateRequest(id)),
	} {
		if err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	_, updateErr := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id})
	_, getErr := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
	_, showErr := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: public, IncludeSecret: true})
	_, revokeErr := secrets.RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id})
	for _, err := range []error{updateErr, getErr, showErr, revokeErr} {
		if err != nil {
			t.Errorf("a call that changes nothing: %v", err)
		}
	}
	s.WantEvents(t, id, "created 1 released")
	s.WantEvents(t, public, "created 0")
	if n, err := s.Database(t).Read.ClientEvent.Query().Count(t.Context()); err != nil || n != 2 {
		t.Errorf("there are %d events in all, error %v, want 2", n, err)
	}
}
