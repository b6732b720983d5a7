package rotation_test

import (
	"errors"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"clientsd/ent/clientevent"
	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

func TestConcurrent_RotationsMakeOneVersionEach(t *testing.T) {
	const callers, each = 64, 20
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	token := s.Token(t, servertest.All...)
	issued := make([][]string, callers)
	servertest.Concurrently(callers, func(i int) {
		protocols := servertest.Protocols()
		clients := s.Clients(protocols[i%len(protocols)], token)
		for range each {
			answer, err := clients.RegenerateSecret(t.Context(),
				&apiv1.RegenerateSecretRequest{ClientId: made.GetClientId(), IncludeSecret: true})
			if err != nil {
				t.Error(err)
				return
			}
			issued[i] = append(issued[i], answer.GetClientSecret())
		}
	})

	secrets := append(slices.Concat(issued...), made.GetClientSecret())
	const versions = callers*each + 1
	verify := s.Secrets(servertest.ConnectJSON, token)
	var valid []int64
	for _, secret := range secrets {
		answer, err := verify.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if answer.GetValid() {
			valid = append(valid, answer.GetSecretVersion())
		}
	}
	if len(secrets) != versions || !slices.Equal(valid, []int64{versions}) {
		t.Errorf("of %d secrets those of versions %v are valid, want one, of version %d", len(secrets), valid, versions)
	}
	slices.Sort(secrets)
	if len(slices.Compact(secrets)) != versions {
		t.Error("a secret was issued twice")
	}
	s.WantHistory(t, made.GetClientId(), versions)
}

// From the answer to a rotation on, no secret from before it is valid, and the
// new one is unless somebody has rotated again.
func TestConcurrent_RotationsRefuseEarlierSecrets(t *testing.T) {
	const callers, each = 8, 10
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	id, token := made.GetClientId(), s.Token(t, servertest.All...)
	clients, secrets := s.Clients(servertest.ConnectJSON, token), s.Secrets(servertest.ConnectJSON, token)
	versions := make([][]int64, callers)
	servertest.Concurrently(callers, func(i int) {
		earlier := made.GetClientSecret()
		for range each {
			rotated, err := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id, IncludeSecret: true})
			if err != nil {
				t.Error(err)
				return
			}
			now, nowErr := secrets.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: id, Secret: rotated.GetClientSecret()})
			before, beforeErr := secrets.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: id, Secret: earlier})
			if err := errors.Join(nowErr, beforeErr); err != nil || before.GetValid() {
				t.Errorf("the secret from before a rotation: %v, error %v", before, err)
			}
			if now.GetValid() {
				versions[i] = append(versions[i], now.GetSecretVersion())
			}
			earlier = rotated.GetClientSecret()
		}
	})
	seen := slices.Sorted(slices.Values(slices.Concat(versions...)))
	if len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("two secrets had the same version: %v", seen)
	}
	s.WantHistory(t, id, callers*each+1)
}

func TestConcurrent_UpdatesAndRotations(t *testing.T) {
	const callers, each = 8, 10
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	clients := s.ClientsService(t)
	servertest.Concurrently(callers, func(i int) {
		for range each {
			if err := change(t, clients, id, i%4); err != nil {
				t.Error(err)
				return
			}
		}
	})
	row := s.Row(t, id)
	if row.Revision != callers*each+1 {
		t.Errorf("got revision %d, want %d", row.Revision, callers*each+1)
	}
	if row.Name != "Renamed" || row.Description != "Described anew" || row.LogoHash == nil {
		t.Errorf("a change is lost: name %q, description %q, logo %v", row.Name, row.Description, row.LogoHash)
	}
	s.WantHistory(t, id, callers*each/4+1)
	if events := s.Events(t, id); len(events) != callers*each+1 {
		t.Errorf("got %d events, want %d", len(events), callers*each+1)
	}
}

// change makes one of four changes of a client.
func change(t *testing.T, clients apiv1connect.ClientsServiceClient, id string, which int) (err error) {
	t.Helper()
	switch which {
	case 0:
		_, err = clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: id})
	case 1:
		_, err = clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Name: proto.String("Renamed")})
	case 2:
		_, err = clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, Description: proto.String("Described anew")})
	default:
		_, err = clients.UploadClientLogo(t.Context(), &apiv1.UploadClientLogoRequest{ClientId: id, LogoData: servertest.PNG(t, 4, 4, servertest.Red), ContentType: "image/png"})
	}
	return err
}

// After a deletion was acknowledged nothing may bring the client back, and
// every rotation is from before it.
func TestConcurrent_DeletionIsFinal(t *testing.T) {
	const rounds, callers = 10, 4
	s := servertest.Start(t)
	clients := s.ClientsService(t)
	for range rounds {
		id := s.Create(t, servertest.Request()).GetClientId()
		servertest.Concurrently(callers+1, func(i int) {
			if i == callers {
				if _, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: id}); err != nil {
					t.Error(err)
				}
				return
			}
			for which := range 4 {
				if err := change(t, clients, id, which); err != nil && connect.CodeOf(err) != connect.CodeNotFound {
					t.Error(err)
				}
			}
		})
		_, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
		servertest.WantError(t, err, connect.CodeNotFound, "client not found")
		events := s.Events(t, id)
		if last := events[len(events)-1]; last.Kind != clientevent.KindDeleted {
			t.Errorf("the last event is %v", last.Kind)
		}
	}
}
