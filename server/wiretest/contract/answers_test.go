package contract_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// unremembered is the record of the only client, as ListClients shows it: that
// remembers nothing.
func unremembered(t *testing.T, s *servertest.Server) *apiv1.Client {
	t.Helper()
	list, err := s.ClientsService(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(list.GetClients()) != 1 {
		t.Fatalf("got %v, error %v", list, err)
	}
	return list.GetClients()[0]
}

// wantPresent fails the test unless GetClient shows the only client as it is
// now, twice and in every protocol.
func wantPresent(t *testing.T, s *servertest.Server) {
	t.Helper()
	want := unremembered(t, s)
	for _, protocol := range servertest.Protocols() {
		for range 2 {
			read, err := s.Clients(protocol, s.Token(t, auth.ScopeRead)).
				GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: want.GetClientId()})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, read.GetClient(), protocmp.Transform()); diff != "" {
				t.Errorf("over %s (-listed +read):\n%s", protocol.Name, diff)
			}
		}
	}
}

// Answers are remembered: what changes a client through one server must be seen
// through another one at once.
func TestGetClient_ChangedByAnotherServer(t *testing.T) {
	writer := servertest.Start(t)
	reader := servertest.Start(t, servertest.InDir(writer.Dir))
	made := writer.Create(t, servertest.Request())
	id := made.GetClientId()
	before := unremembered(t, reader)
	wantPresent(t, reader)
	for _, change := range []struct {
		name string
		make func() error
	}{
		{"update", func() error {
			_, err := writer.ClientsService(t).UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: new("Another name")})
			return err
		}},
		{"rotation", func() error { writer.Rotate(t, id); return nil }},
		{"rotation with overlap", func() error { made = writer.RotateWithOverlap(t, id, time.Hour); return nil }},
		{"rotation that ends the overlap", func() error { made = writer.RotateWithOverlap(t, id, 0); return nil }},
		{"rotation with another overlap", func() error { writer.RotateWithOverlap(t, id, time.Hour); return nil }},
		{"use of the previous secret", func() error { writer.WantMatch(t, id, made.GetClientSecret(), servertest.MatchPrevious, 4); return nil }},
		{"revocation of the previous secret", func() error {
			_, err := writer.Secrets(servertest.ConnectJSON, writer.Token(t, auth.ScopeManage)).
				RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: id})
			return err
		}},
		{"logo", func() error { writer.UploadLogo(t, id); return nil }},
	} {
		if err := change.make(); err != nil {
			t.Fatalf("%s: %v", change.name, err)
		}
		after := unremembered(t, reader)
		if cmp.Equal(before, after, protocmp.Transform()) {
			t.Errorf("%s: nothing of the record has changed", change.name)
		}
		wantPresent(t, reader)
		before = after
	}
	if _, err := writer.ClientsService(t).DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
		t.Fatal(err)
	}
	_, err := reader.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
}

func TestGetClient_RememberedForOrganisationAndScope(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	wantPresent(t, s)
	get := func(token string) error {
		_, err := s.Clients(servertest.ConnectJSON, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: made.GetClientId()})
		return err
	}
	servertest.WantError(t, get(s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"})), connect.CodeNotFound, "client not found")
	servertest.WantError(t, get(s.Token(t, auth.ScopeManage)), connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:read"`)
}

// A secret that was shown to one caller is not in what the next one reads.
func TestGetClient_SecretIsNotRemembered(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	for _, include := range []bool{true, false, true, false} {
		_, body := s.PostJSON(t, servertest.ClientsPath+"GetClient", s.Token(t, servertest.All...),
			fmt.Sprintf(`{"clientId": %q, "includeSecret": %t}`, made.GetClientId(), include))
		if got := bytes.Contains(body, []byte(made.GetClientSecret())); got != include {
			t.Errorf("includeSecret %v: the answer is %s", include, body)
		}
	}
}
