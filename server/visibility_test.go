package server_test

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

// What may differ between two equal answers.
var notCompared = []string{"Date", "X-Request-Id"}

func TestWhoMayNotSeeAClientCannotTellWhetherItExists(t *testing.T) {
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
			grant: issuer.Grant{Scopes: []string{manage, read, verify, admin}, Organisation: "other"},
			status: map[string]int{
				"SecretsService/VerifySecret":     http.StatusOK,
				"SecretsService/ListClientEvents": http.StatusOK,
			},
			others: http.StatusNotFound,
		},
		{
			name:   "the same organisation with admin only",
			grant:  issuer.Grant{Scopes: []string{admin}},
			others: http.StatusForbidden,
		},
		{
			name:   "the same organisation without any scope that counts",
			grant:  issuer.Grant{Scopes: []string{"oauth:clients"}},
			others: http.StatusForbidden,
		},
	} {
		token := s.Mint(t, tt.grant)
		for _, o := range operations(t) {
			if !o.namesOneClient() {
				continue
			}
			existing := rawAnswer(t, s, o, token, client.GetClientId(), client.GetClientSecret())
			missing := rawAnswer(t, s, o, token, uuid.NewString(), client.GetClientSecret())
			if diff := cmp.Diff(missing, existing, cmp.AllowUnexported(reply{})); diff != "" {
				t.Errorf("%s: %s (-missing client +existing client):\n%s", tt.name, o, diff)
			}
			want, special := tt.status[o.String()]
			if !special {
				want = tt.others
			}
			if existing.status != want {
				t.Errorf("%s: %s: got status %d, want %d: %s", tt.name, o, existing.status, want, existing.body)
			}
		}
	}
}

func TestWhoLacksAScopeLearnsNothingOfTheRulesForRequests(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, admin)
	for _, o := range operations(t) {
		want := permissions[o.String()]
		if want.public {
			continue
		}
		invalid := o.json(t, "no UUID", "")
		response, body := s.PostJSON(t, o.procedure(), token, string(invalid))
		if message := denied(want.scopes[0]).Message; response.StatusCode != http.StatusForbidden || object(t, body)["message"] != message {
			t.Errorf("%s: got %s: %s, want %s", o, response.Status, body, message)
		}
	}
}

func rawAnswer(t *testing.T, s *servertest.Server, o operation, token, clientID, secret string) reply {
	t.Helper()
	response, body := s.PostJSON(t, o.procedure(), token, string(o.json(t, clientID, secret)))
	for _, name := range notCompared {
		response.Header.Del(name)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

func TestAListHoldsTheClientsOfOneOrganisationOnly(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	s.Create(t, servertest.Request())
	for organisation, want := range map[string]int{"": 1, "default": 1, "other": 0, "DEFAULT": 0, "default ": 0, "%": 0} {
		token := s.Mint(t, issuer.Grant{Scopes: []string{read}, Organisation: organisation})
		list, err := s.Clients(over, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
		if err != nil || len(list.GetClients()) != want {
			t.Errorf("organisation %q: got %d clients and error %v, want %d", organisation, len(list.GetClients()), err, want)
		}
	}
}

func TestOnlyAnAdminVerifiesClients(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	for _, tt := range []struct {
		scopes []string
		want   bool
	}{
		{[]string{manage, read, verify}, false},
		{[]string{manage, "admin2", "ADMIN", "oauth:clients:admin"}, false},
		{[]string{manage, admin}, true},
	} {
		token := s.Token(t, tt.scopes...)
		created := s.CreateAs(t, token, servertest.Request())
		if created.GetIsVerified() != tt.want {
			t.Errorf("%v: created with isVerified %v, want %v", tt.scopes, created.GetIsVerified(), tt.want)
		}
		for _, value := range []bool{!tt.want, tt.want} {
			updated, err := s.Clients(over, token).UpdateClient(t.Context(),
				&apiv1.UpdateClientRequest{ClientId: created.GetClientId(), Name: proto.String("Other"), IsVerified: proto.Bool(value)})
			if want := value && tt.want; err != nil || updated.GetClient().GetIsVerified() != want {
				t.Errorf("%v: set to %v: got isVerified %v and error %v, want %v",
					tt.scopes, value, updated.GetClient().GetIsVerified(), err, want)
			}
		}
	}
}

func TestWhoMayNotVerifyCannotTakeItBackEither(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	verified := s.CreateAs(t, s.Token(t, manage, admin), servertest.Request())
	updated, err := clientsOf(t, s).UpdateClient(t.Context(),
		&apiv1.UpdateClientRequest{ClientId: verified.GetClientId(), IsVerified: proto.Bool(false)})
	if err != nil || !updated.GetClient().GetIsVerified() {
		t.Errorf("got isVerified %v and error %v, want true", updated.GetClient().GetIsVerified(), err)
	}
}

func TestTheScopeThatShowsASecretIsConfigured(t *testing.T) {
	t.Parallel()
	type attempt struct {
		scopes  []string
		missing string // empty: the secret is shown
	}
	for configured, attempts := range map[string][]attempt{
		"": {
			{[]string{read, verify, admin}, manage},
			{[]string{manage}, read},
			{[]string{read, manage}, ""},
		},
		read: {
			{[]string{manage, verify, admin}, read},
			{[]string{read}, ""},
		},
		"oauth:secrets:read": {
			{[]string{read, manage}, "oauth:secrets:read"},
			{[]string{"oauth:secrets:read", manage}, read},
			{[]string{read, "oauth:secrets:read"}, ""},
		},
	} {
		s := servertest.Start(t, func(c *server.Config) { c.SecretReadScope = configured })
		client := s.Create(t, servertest.Request())
		for _, tt := range attempts {
			got, err := s.Clients(over, s.Token(t, tt.scopes...)).GetClient(t.Context(),
				&apiv1.GetClientRequest{ClientId: client.GetClientId(), IncludeSecret: true})
			want, secret := answer{}, client.GetClientSecret()
			if tt.missing != "" {
				want, secret = denied(tt.missing), ""
			}
			if diff := cmp.Diff(want, answerOf(err)); diff != "" || got.GetClient().GetClientSecret() != secret {
				t.Errorf("%q configured, %v in the token: got the secret %q; answer (-want +got):\n%s",
					configured, tt.scopes, got.GetClient().GetClientSecret(), diff)
			}
		}
	}
}

func TestATokenNeverStandsInTheLogs(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, verify)
	for _, o := range operations(t) {
		rawAnswer(t, s, o, token, uuid.NewString(), "sk_live_secret")
		rawAnswer(t, s, o, token+"x", uuid.NewString(), "sk_live_secret")
	}
	s.Stop(t)
	for _, part := range append(strings.Split(token, "."), "sk_live_secret") {
		if strings.Contains(s.Logs.String(), part) {
			t.Errorf("the logs hold %q", part)
		}
	}
}
