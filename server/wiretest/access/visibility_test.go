package access_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestHiddenClient_LooksLikeNoClient(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	for _, tt := range []struct {
		name   string
		grant  issuer.Grant
		status map[string]int // of the operations where it is not the last one's
		others int
	}{
		{
			name:  "another organisation with every scope",
			grant: issuer.Grant{Scopes: []string{servertest.ScopeManage, servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}, Organisation: "other"},
			status: map[string]int{
				"SecretsService/VerifySecret":     http.StatusOK,
				"SecretsService/ListClientEvents": http.StatusOK,
			},
			others: http.StatusNotFound,
		},
		{
			name:   "the same organisation with admin only",
			grant:  issuer.Grant{Scopes: []string{servertest.ScopeAdmin}},
			others: http.StatusForbidden,
		},
		{
			name:   "the same organisation without any scope that counts",
			grant:  issuer.Grant{Scopes: []string{"oauth:clients"}},
			others: http.StatusForbidden,
		},
	} {
		token := s.Mint(t, tt.grant)
		for _, o := range servertest.Operations(t) {
			if !o.NamesOneClient() {
				continue
			}
			existing := s.PostOperation(t, o, token, client.GetClientId(), client.GetClientSecret())
			missing := s.PostOperation(t, o, token, uuid.NewString(), client.GetClientSecret())
			if diff := cmp.Diff(missing, existing, cmp.AllowUnexported(servertest.Reply{})); diff != "" {
				t.Errorf("%s: %s (-missing client +existing client):\n%s", tt.name, o, diff)
			}
			want, special := tt.status[o.String()]
			if !special {
				want = tt.others
			}
			if existing.Status != want {
				t.Errorf("%s: %s: got status %d, want %d: %s", tt.name, o, existing.Status, want, existing.Body)
			}
		}
	}
}

func TestMissingScope_IsSaidBeforeValidation(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeAdmin)
	for _, o := range servertest.Operations(t) {
		want := permissions[o.String()]
		if want.public {
			continue
		}
		invalid := o.JSON(t, "no UUID", "")
		response, body := s.PostJSON(t, o.Procedure(), token, string(invalid))
		if message := want.denied().Message; response.StatusCode != http.StatusForbidden || servertest.Object(t, body)["message"] != message {
			t.Errorf("%s: got %s: %s, want %s", o, response.Status, body, message)
		}
	}
}

func TestListClients_OneOrganisationOnly(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	s.Create(t, servertest.Request())
	for organisation, want := range map[string]int{"": 1, "default": 1, "other": 0, "DEFAULT": 0, "default ": 0, "%": 0} {
		token := s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeRead}, Organisation: organisation})
		list, err := s.Clients(servertest.ConnectJSON, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
		if err != nil || len(list.GetClients()) != want {
			t.Errorf("organisation %q: got %d clients and error %v, want %d", organisation, len(list.GetClients()), err, want)
		}
	}
}

func TestIsVerified_OnlyAdminSetsIt(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, tt := range []struct {
		scopes []string
		want   bool
	}{
		{[]string{servertest.ScopeManage, servertest.ScopeRead, servertest.ScopeVerify}, false},
		{[]string{servertest.ScopeManage, "admin2", "ADMIN", "oauth:clients:admin"}, false},
		{[]string{servertest.ScopeManage, servertest.ScopeAdmin}, true},
	} {
		token := s.Token(t, tt.scopes...)
		created := s.CreateAs(t, token, servertest.Request())
		if created.GetIsVerified() != tt.want {
			t.Errorf("%v: created with isVerified %v, want %v", tt.scopes, created.GetIsVerified(), tt.want)
		}
		for _, value := range []bool{!tt.want, tt.want} {
			updated, err := s.Clients(servertest.ConnectJSON, token).UpdateClient(t.Context(),
				&apiv1.UpdateClientRequest{ClientId: created.GetClientId(), Name: proto.String("Other"), IsVerified: proto.Bool(value)})
			if want := value && tt.want; err != nil || updated.GetClient().GetIsVerified() != want {
				t.Errorf("%v: set to %v: got isVerified %v and error %v, want %v",
					tt.scopes, value, updated.GetClient().GetIsVerified(), err, want)
			}
		}
	}
}

func TestIsVerified_OnlyAdminClearsIt(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	verified := s.CreateAs(t, s.Token(t, servertest.ScopeManage, servertest.ScopeAdmin), servertest.Request())
	updated, err := s.ClientsService(t).UpdateClient(t.Context(),
		&apiv1.UpdateClientRequest{ClientId: verified.GetClientId(), IsVerified: proto.Bool(false)})
	if err != nil || !updated.GetClient().GetIsVerified() {
		t.Errorf("got isVerified %v and error %v, want true", updated.GetClient().GetIsVerified(), err)
	}
}

func TestSecretReadScope_Configured(t *testing.T) {
	t.Parallel()
	type attempt struct {
		scopes  []string
		missing string // empty: the secret is shown
	}
	const both = servertest.ScopeRead + " " + servertest.ScopeManage
	needed := map[string]string{"": both, servertest.ScopeRead: servertest.ScopeRead, "oauth:secrets:read": servertest.ScopeRead + " oauth:secrets:read"}
	for configured, attempts := range map[string][]attempt{
		"": {
			{scopes: []string{servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}, missing: servertest.ScopeManage},
			{scopes: []string{servertest.ScopeManage}, missing: servertest.ScopeRead},
			{scopes: []string{servertest.ScopeVerify}, missing: both},
			{scopes: []string{servertest.ScopeRead, servertest.ScopeManage}, missing: ""},
		},
		servertest.ScopeRead: {
			{scopes: []string{servertest.ScopeManage, servertest.ScopeVerify, servertest.ScopeAdmin}, missing: servertest.ScopeRead},
			{scopes: []string{servertest.ScopeRead}, missing: ""},
		},
		"oauth:secrets:read": {
			{scopes: []string{servertest.ScopeRead, servertest.ScopeManage}, missing: "oauth:secrets:read"},
			{scopes: []string{"oauth:secrets:read", servertest.ScopeManage}, missing: servertest.ScopeRead},
			{scopes: []string{servertest.ScopeRead, "oauth:secrets:read"}, missing: ""},
		},
	} {
		s := servertest.Start(t, func(c *server.Config) { c.SecretReadScope = configured })
		client := s.Create(t, servertest.Request())
		for _, tt := range attempts {
			got, err := s.Clients(servertest.ConnectJSON, s.Token(t, tt.scopes...)).GetClient(t.Context(),
				&apiv1.GetClientRequest{ClientId: client.GetClientId(), IncludeSecret: true})
			want, secret := servertest.CallError{}, client.GetClientSecret()
			if tt.missing != "" {
				want, secret = servertest.DeniedFor([]string{tt.missing}, needed[configured]), ""
			}
			if diff := cmp.Diff(want, servertest.CallErrorOf(err)); diff != "" || got.GetClient().GetClientSecret() != secret {
				t.Errorf("%q configured, %v in the token: got the secret %q; answer (-want +got):\n%s",
					configured, tt.scopes, got.GetClient().GetClientSecret(), diff)
			}
		}
	}
}

func TestLogs_HoldNoToken(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeVerify)
	for _, o := range servertest.Operations(t) {
		s.PostOperation(t, o, token, uuid.NewString(), "sk_live_secret")
		s.PostOperation(t, o, token+"x", uuid.NewString(), "sk_live_secret")
	}
	s.Stop(t)
	for _, part := range append(strings.Split(token, "."), "sk_live_secret") {
		if strings.Contains(s.Logs.String(), part) {
			t.Errorf("the logs hold %q", part)
		}
	}
}
