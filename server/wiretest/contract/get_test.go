package contract_test

import (
	"bytes"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	"clientsd/ent"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestGetClient_SecretOnRequest(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			made := s.Create(t, servertest.Request())
			clients := s.Clients(protocol, token)
			wantRead(t, clients, made)
			s.WantEvents(t, made.GetClientId(), "created 1 released")

			shown, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId(), IncludeSecret: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(made, shown.GetClient(), protocmp.Transform()); diff != "" {
				t.Errorf("with its secret (-want +got):\n%s", diff)
			}
			s.WantEvents(t, made.GetClientId(), "created 1 released", "secret_read 1 released")
		})
	}
}

func TestGetClient_PublicClient(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.PublicRequest())
	shown, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId(), IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, shown.GetClient(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.WantEvents(t, made.GetClientId(), "created 0")
}

func TestGetClient_HiddenClientLooksLikeNone(t *testing.T) {
	s := servertest.Start(t)
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	token := s.Token(t, servertest.All...)
	for _, id := range []string{uuid.NewString(), foreign.GetClientId()} {
		for _, include := range []bool{false, true} {
			_, err := s.Clients(servertest.ConnectJSON, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: include})
			servertest.WantError(t, err, connect.CodeNotFound, "client not found")
			servertest.WantReason(t, err, "CLIENT_NOT_FOUND")
		}
	}
	s.WantEvents(t, foreign.GetClientId(), "created 1 released")
}

func TestGetClient_SecretNeedsManage(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	_, err := s.Clients(servertest.ConnectJSON, s.Token(t, auth.ScopeRead)).GetClient(t.Context(),
		&apiv1.GetClientRequest{ClientId: made.GetClientId(), IncludeSecret: true})
	servertest.WantError(t, err, connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:manage"`)
	s.WantEvents(t, made.GetClientId(), "created 1 released")
}

// A release that cannot be recorded must not happen.
func TestGetClient_NoSecretWithoutItsEvent(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	s.Exec(t, "DROP TABLE client_events")
	_, body := s.PostJSON(t, servertest.ClientsPath+"GetClient", s.Token(t, servertest.All...),
		`{"clientId": "`+made.GetClientId()+`", "includeSecret": true}`)
	if want := `{"code":"internal","message":"` + servertest.InternalError + `"}`; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
	if strings.Contains(s.Logs.String(), made.GetClientSecret()) {
		t.Error("the log has the secret")
	}
	wantRead(t, s.ClientsService(t), made)
}

// damages are what can happen to one row. Each keeps the digest, by which the
// secret still verifies.
var damages = map[string]func(row, other, older *ent.OAuthClient) []byte{
	"a bit of the ciphertext has flipped": func(row, _, _ *ent.OAuthClient) []byte {
		flipped := bytes.Clone(row.SecretSealed)
		flipped[len(flipped)-1] ^= 1
		return flipped
	},
	"the name of the key has changed": func(row, _, _ *ent.OAuthClient) []byte {
		renamed := bytes.Clone(row.SecretSealed)
		renamed[1] ^= 1
		return renamed
	},
	"the ciphertext is cut short":              func(row, _, _ *ent.OAuthClient) []byte { return row.SecretSealed[:20] },
	"the ciphertext is empty":                  func(_, _, _ *ent.OAuthClient) []byte { return []byte{} },
	"the ciphertext is gone":                   func(_, _, _ *ent.OAuthClient) []byte { return nil },
	"the ciphertext is that of another client": func(_, other, _ *ent.OAuthClient) []byte { return other.SecretSealed },
	"an older ciphertext was put back":         func(_, _, older *ent.OAuthClient) []byte { return older.SecretSealed },
}

func TestGetClient_DamagedSecretUntilRotation(t *testing.T) {
	s := servertest.Start(t)
	other := s.Row(t, s.Create(t, servertest.Request()).GetClientId())
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			made := s.Create(t, servertest.Request())
			id := made.GetClientId()
			older := s.Row(t, id)
			current := s.Rotate(t, id)
			s.Exec(t, "UPDATE oauth_clients SET secret_sealed = ? WHERE id = ?", damage(s.Row(t, id), other, older), id)

			wantDataLoss(t, s, id)
			s.WantOnlySecret(t, id, 2, current, made.GetClientSecret())
			if read, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id}); err != nil || read.GetClient().ClientSecret != nil {
				t.Errorf("without the secret: got %v, error %v", read, err)
			}
			s.WantOnlySecret(t, id, 3, s.Rotate(t, id), current, made.GetClientSecret())
			shown, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
			if err != nil || shown.GetClient().ClientSecret == nil {
				t.Errorf("after a rotation: got %v, error %v", shown, err)
			}
			s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released", "secret_rotated 3 released", "secret_read 3 released")
		})
	}
}

// A row that has both digest and ciphertext of another client must not give
// away that client's secret.
func TestGetClient_SecretMovedFromAnotherRow(t *testing.T) {
	s := servertest.Start(t)
	mine, other := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	row := s.Row(t, other.GetClientId())
	s.Exec(t, "UPDATE oauth_clients SET secret_sealed = ?, secret_digest = ? WHERE id = ?",
		row.SecretSealed, row.SecretDigest, mine.GetClientId())
	wantDataLoss(t, s, mine.GetClientId())
	if s.Verify(t, mine.GetClientId(), other.GetClientSecret()).GetValid() {
		t.Error("the other client's secret verifies for this one")
	}
}

func wantDataLoss(t *testing.T, s *servertest.Server, clientID string) {
	t.Helper()
	_, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: clientID, IncludeSecret: true})
	servertest.WantError(t, err, connect.CodeDataLoss, "the stored secret is damaged: rotate it")
	servertest.WantReason(t, err, "SECRET_DAMAGED")
}
