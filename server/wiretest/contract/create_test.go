package contract_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"clientsd/ent"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/servertest"
)

// recordOf is the record a request must make, beside what the server chooses.
func recordOf(request *apiv1.CreateClientRequest) *apiv1.Client {
	return &apiv1.Client{
		Name:                              request.GetName(),
		RedirectUri:                       request.GetRedirectUri(),
		SupportsRefreshToken:              request.GetSupportsRefreshToken(),
		SupportsImplicitGrant:             request.GetSupportsImplicitGrant(),
		SupportsDeviceCodeGrant:           request.GetSupportsDeviceCodeGrant(),
		SupportsCodeGrant:                 request.GetSupportsCodeGrant(),
		WebsiteUrl:                        request.GetWebsiteUrl(),
		Description:                       request.GetDescription(),
		IsVerified:                        request.GetIsVerified(),
		ApplicationId:                     request.ApplicationId,
		UsesManagedBuckets:                request.GetUsesManagedBuckets(),
		ApplicationBindings:               request.GetApplicationBindings(),
		AllowedDelegators:                 request.GetAllowedDelegators(),
		BackchannelLogoutUri:              request.BackchannelLogoutUri,
		BackchannelLogoutSessionRequired:  request.GetBackchannelLogoutSessionRequired(),
		FrontchannelLogoutUri:             request.FrontchannelLogoutUri,
		FrontchannelLogoutSessionRequired: request.GetFrontchannelLogoutSessionRequired(),
		PostLogoutRedirectUris:            request.GetPostLogoutRedirectUris(),
	}
}

var secretForm = regexp.MustCompile(`^sk_live_[0-9A-Za-z]{49}$`)

func TestCreateClient_KeepsEveryField(t *testing.T) {
	s := servertest.Start(t)
	admin := s.Token(t, append([]string{auth.ScopeAdmin}, servertest.All...)...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			clients := s.Clients(protocol, admin)
			made, err := clients.CreateClient(t.Context(), servertest.Request())
			if err != nil {
				t.Fatal(err)
			}
			id := made.GetClient().GetClientId()
			chosen := protocmp.IgnoreFields(&apiv1.Client{}, "client_id", "client_secret", "created_at", "updated_at",
				"secret_version", "secret_created_at")
			if diff := cmp.Diff(recordOf(servertest.Request()), made.GetClient(), protocmp.Transform(), chosen); diff != "" {
				t.Errorf("the record beside what the server chooses (-want +got):\n%s", diff)
			}
			if !secretForm.MatchString(made.GetClient().GetClientSecret()) {
				t.Error("the secret is not of the documented form")
			}
			s.WantOnlySecret(t, id, 1, made.GetClient().GetClientSecret())
			s.WantEvents(t, id, "created 1 released")
			wantRead(t, clients, made.GetClient())
		})
	}
}

// wantRead fails the test unless GetClient shows this record, without a secret.
func wantRead(t *testing.T, clients apiv1connect.ClientsServiceClient, want *apiv1.Client) {
	t.Helper()
	read, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: want.GetClientId()})
	if err != nil {
		t.Fatal(err)
	}
	shown := proto.CloneOf(want)
	shown.ClientSecret = nil
	if diff := cmp.Diff(shown, read.GetClient(), protocmp.Transform()); diff != "" {
		t.Errorf("the record that is read (-want +got):\n%s", diff)
	}
}

func TestCreateClient_PublicClientHasNoSecret(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.PublicRequest())
	if made.ClientSecret != nil {
		t.Error("the answer carries a secret")
	}
	row := s.Row(t, made.GetClientId())
	if row.HasSecret || row.SecretDigest != nil || row.SecretSealed != nil || row.SecretVersion != 0 || row.SecretCreatedAt != nil {
		t.Errorf("the row has a secret: version %d, made at %v", row.SecretVersion, row.SecretCreatedAt)
	}
	s.WantEvents(t, made.GetClientId(), "created 0")
	wantRead(t, s.ClientsService(t), made)
}

func TestCreateClient_EventNamesActorAndAddress(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	id := made.GetClientId()
	event := s.Events(t, id)[0]
	row := s.Row(t, id)
	want := &ent.ClientEvent{
		ID: 1, ClientID: &row.ID, Organisation: "default", Kind: "created", At: row.CreatedAt,
		SecretVersion: 1, SecretReleased: true,
		ActorIssuer: event.ActorIssuer, ActorSubject: "urn:xeonr:serviceaccount:test", ActorOrganisation: "default",
		RequestID: event.RequestID, Address: "127.0.0.1", API: "xeonr", SecretLookup: servertest.Lookup(t, made.GetClientSecret()),
	}
	diff := cmp.Diff(want, event, cmpopts.IgnoreUnexported(ent.ClientEvent{}), cmpopts.EquateApproxTime(time.Second))
	if diff != "" || !strings.HasPrefix(event.ActorIssuer, "urn:uuid:") || uuid.Validate(event.RequestID) != nil {
		t.Errorf("event of issuer %q and request %q (-want +got):\n%s", event.ActorIssuer, event.RequestID, diff)
	}
}

func TestCreateClient_IsVerifiedNeedsAdmin(t *testing.T) {
	s := servertest.Start(t)
	for name, tt := range map[string]struct {
		scopes []string
		want   bool
	}{
		"an admin":                      {[]string{auth.ScopeManage, auth.ScopeAdmin}, true},
		"every other scope":             {servertest.All, false},
		"a scope that begins like that": {[]string{auth.ScopeManage, "administrator", "admin:read"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.CreateAs(t, s.Token(t, tt.scopes...), servertest.Request()); got.GetIsVerified() != tt.want {
				t.Errorf("got isVerified %v, want %v", got.GetIsVerified(), tt.want)
			}
		})
	}
}

func TestCreateClient_EmptyTextIsNone(t *testing.T) {
	s := servertest.Start(t)
	request := servertest.Request()
	request.ApplicationId, request.BackchannelLogoutUri, request.FrontchannelLogoutUri = proto.String(""), proto.String(""), proto.String("")
	got := s.Create(t, request)
	if got.ApplicationId != nil || got.BackchannelLogoutUri != nil || got.FrontchannelLogoutUri != nil {
		t.Errorf("an empty text is in the record: %v", got)
	}
}

func TestCreateClient_FieldsThatDoNotFit(t *testing.T) {
	s := servertest.Start(t)
	for name, tt := range map[string]struct {
		change  func(*apiv1.CreateClientRequest)
		message string
		fields  []string
	}{
		"managed buckets for a public client": {
			func(r *apiv1.CreateClientRequest) { r.HasSecret = false },
			"validation error: usesManagedBuckets: only a confidential client may use managed buckets: set hasSecret too",
			[]string{"uses_managed_buckets"},
		},
		"an application bound twice": {
			func(r *apiv1.CreateClientRequest) { r.ApplicationBindings[1].ApplicationId = "app_prod_myapp" },
			"validation error: applicationBindings: must name each applicationId once",
			[]string{"application_bindings"},
		},
		"several fields in one request": {
			func(r *apiv1.CreateClientRequest) {
				r.HasSecret, r.RedirectUri, r.WebsiteUrl = false, "http://example.com/", "ftp://example.com/"
			},
			"validation errors:\n - redirectUri: must be https: http is allowed for a loopback host only\n" +
				" - websiteUrl: must be https or http\n" +
				" - usesManagedBuckets: only a confidential client may use managed buckets: set hasSecret too",
			[]string{"redirect_uri", "uses_managed_buckets", "website_url"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := servertest.Request()
			tt.change(request)
			_, err := s.ClientsService(t).CreateClient(t.Context(), request)
			servertest.WantError(t, err, connect.CodeInvalidArgument, tt.message)
			servertest.WantViolations(t, err, tt.fields...)
		})
	}
	all, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(all.GetClients()) != 0 {
		t.Errorf("a refused client is there: %v, error %v", all, err)
	}
}

// The prefix is for new secrets; what was issued with another one stays valid.
func TestSecretPrefix_OldSecretsStayValid(t *testing.T) {
	dir := t.TempDir()
	clients := map[string]*apiv1.Client{}
	for _, prefix := range []string{"sk_live_", "acme_", ""} {
		s := servertest.Start(t, servertest.InDir(dir), func(c *server.Config) { c.SecretPrefix = prefix })
		clients[prefix] = s.Create(t, servertest.Request())
		for prefix, client := range clients {
			if !strings.HasPrefix(client.GetClientSecret(), prefix) || len(client.GetClientSecret()) != len(prefix)+49 {
				t.Errorf("the secret has another prefix than %q", prefix)
			}
			s.WantOnlySecret(t, client.GetClientId(), 1, client.GetClientSecret())
		}
		s.Stop(t)
	}
}
