package contract_test

import (
	"testing"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// FuzzUpdateMask names what it likes: each name is a field or a refusal.
func FuzzUpdateMask(f *testing.F) {
	s := servertest.Start(f)
	id := s.Create(f, servertest.Request()).GetClientId()
	clients := s.Clients(servertest.Protocols()[1], s.Token(f, servertest.All...))
	for _, seed := range []string{"name", "client_id", "foo", "", "*", "name,foo", "application_bindings.config", "updateMask", "\x00"} {
		f.Add(seed, "New name")
	}
	f.Fuzz(func(t *testing.T, path, name string) {
		if !utf8.ValidString(path) || !utf8.ValidString(name) {
			t.Skip("no proto message holds it")
		}
		_, err := clients.UpdateClient(t.Context(), &apiv1.UpdateClientRequest{
			ClientId: id, Name: &name, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}},
		})
		switch code := connect.CodeOf(err); {
		case err == nil, code == connect.CodeInvalidArgument, code == connect.CodeResourceExhausted:
		default:
			t.Errorf("mask %q: got error %v", path, err)
		}
	})
}
