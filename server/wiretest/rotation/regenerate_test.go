package rotation_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestRegenerateSecret_ReplacesOnlyTheSecret(t *testing.T) {
	s := servertest.Start(t, servertest.TickingClock)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			before := s.Create(t, servertest.Request())
			after, err := s.Clients(protocol, token).RegenerateSecret(t.Context(),
				&apiv1.RegenerateSecretRequest{ClientId: before.GetClientId(), IncludeSecret: true})
			if err != nil {
				t.Fatal(err)
			}
			rest := protocmp.IgnoreFields(&apiv1.Client{}, "client_secret", "updated_at", "secret_version", "secret_created_at")
			if diff := cmp.Diff(before, after, protocmp.Transform(), rest); diff != "" {
				t.Errorf("the record beside its secret (-before +after):\n%s", diff)
			}
			if !after.GetUpdatedAt().AsTime().After(before.GetUpdatedAt().AsTime()) {
				t.Errorf("updated at %v, before that at %v", after.GetUpdatedAt().AsTime(), before.GetUpdatedAt().AsTime())
			}
			s.WantOnlySecret(t, before.GetClientId(), 2, after.GetClientSecret(), before.GetClientSecret())
		})
	}
}

func TestRegenerateSecret_WithoutIncludeSecret(t *testing.T) {
	s := servertest.Start(t)
	for name, include := range map[string]string{
		"includeSecret false":  `, "includeSecret": false`,
		"includeSecret null":   `, "includeSecret": null`,
		"includeSecret absent": ``,
	} {
		t.Run(name, func(t *testing.T) {
			client := s.Create(t, servertest.Request())
			id := client.GetClientId()
			answer := s.Post(t, servertest.ClientsPath+"RegenerateSecret", `{"clientId": "`+id+`"`+include+`}`)
			if secret, ok := answer["clientSecret"]; ok {
				t.Errorf("the answer carries the secret %v", secret)
			}
			read, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id, IncludeSecret: true})
			if err != nil {
				t.Fatal(err)
			}
			s.WantOnlySecret(t, id, 2, read.GetClient().GetClientSecret(), client.GetClientSecret())
			s.WantEvents(t, id, "created 1 released", "secret_rotated 2", "secret_read 2 released")
		})
	}
}

func TestRegenerateSecret_TwiceRotatesTwice(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	secrets := []string{client.GetClientSecret()}
	for range 3 {
		answer, err := s.ClientsService(t).RegenerateSecret(t.Context(),
			&apiv1.RegenerateSecretRequest{ClientId: client.GetClientId(), IncludeSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, answer.GetClientSecret())
	}
	s.WantOnlySecret(t, client.GetClientId(), 4, secrets[3], secrets[:3]...)
	s.WantEvents(t, client.GetClientId(), "created 1 released",
		"secret_rotated 2 released", "secret_rotated 3 released", "secret_rotated 4 released")
}

func TestRegenerateSecret_PublicClient(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	id := s.Create(t, servertest.PublicRequest()).GetClientId()
	before := s.Row(t, id)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			_, err := s.Clients(protocol, token).RegenerateSecret(t.Context(),
				&apiv1.RegenerateSecretRequest{ClientId: id, IncludeSecret: true})
			servertest.WantError(t, err, connect.CodeFailedPrecondition, "client is public: it has no secret")
			servertest.WantReason(t, err, "PUBLIC_CLIENT")
		})
	}
	servertest.WantSameRow(t, before, s.Row(t, id))
	s.WantEvents(t, id, "created 0")
}

// A client of another organisation must not even be told from none.
func TestRegenerateSecret_HiddenClientLooksLikeNone(t *testing.T) {
	s := servertest.Start(t)
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	before := s.Row(t, foreign.GetClientId())
	token := s.Token(t, servertest.All...)
	var answers [][]byte
	for _, id := range []string{uuid.NewString(), foreign.GetClientId()} {
		response, body := s.PostJSON(t, servertest.ClientsPath+"RegenerateSecret", token, `{"clientId": "`+id+`", "includeSecret": true}`)
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("got %s, want 404", response.Status)
		}
		answers = append(answers, body)
	}
	if !bytes.Equal(answers[0], answers[1]) || !strings.Contains(string(answers[0]), `"code":"not_found","message":"client not found"`) {
		t.Errorf("got %s\nand %s", answers[0], answers[1])
	}
	servertest.WantSameRow(t, before, s.Row(t, foreign.GetClientId()))
}

// A rotation that cannot be recorded must not happen.
func TestRegenerateSecret_EventCannotBeWritten(t *testing.T) {
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	before := s.Row(t, client.GetClientId())
	s.Exec(t, "DROP TABLE client_events")
	_, err := s.ClientsService(t).RegenerateSecret(t.Context(),
		&apiv1.RegenerateSecretRequest{ClientId: client.GetClientId(), IncludeSecret: true})
	servertest.WantError(t, err, connect.CodeInternal, servertest.InternalError)
	servertest.WantSameRow(t, before, s.Row(t, client.GetClientId()))
	s.WantOnlySecret(t, client.GetClientId(), 1, client.GetClientSecret())
	if !strings.Contains(s.Logs.String(), servertest.MissingTable("client_events")) {
		t.Error("the log does not name the cause")
	}
}
