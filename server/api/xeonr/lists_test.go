package xeonr_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/api/xeonr"
	"clientsd/server/auth"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/servertest/storagetest"
)

// startService returns a Service whose caller's organisation has so many clients, each
// with as much in it as one may have.
func startService(t *testing.T, clients int) (*xeonr.Service, []string) {
	t.Helper()
	opened := storagetest.Open(t)
	store, err := oauthclient.NewStore(oauthclient.Config{
		Transact: opened.DB.Transact, TransactStatement: opened.DB.StatementTransactor(),
		Classify: database.Classify, Read: opened.DB.Read, Keyset: opened.Keyset,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	ids := make([]string, clients)
	for i := range ids {
		record, err := store.Create(t.Context(), oauthclient.Caller{Organisation: "acme"}, oauthclient.CreateInput{
			Name: "Name", RedirectURI: "https://example.com/callback", WebsiteURL: "https://example.com", Description: "Description",
			Bindings: []oauthclient.Binding{{ApplicationID: "a", HasConfig: true, JSONConfig: map[string]any{"x": slices.Repeat([]any{[]any{}}, 5400)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = record.ID.String()
	}
	return xeonr.NewService(store, "https://clients.example.com"), ids
}

// A second large list waits for the first. One that is small does not.
func TestListClients_LargeListTakesATurn(t *testing.T) {
	const clients = 15
	service, ids := startService(t, clients)
	ctx := auth.WithPrincipal(t.Context(), &auth.Principal{Organisation: "acme"})
	end, err := service.TakeListTurn(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	small, err := service.ListClients(ctx, &apiv1.ListClientsRequest{PageSize: proto.Int32(1)})
	if err != nil || len(small.GetClients()) != 1 {
		t.Errorf("a small list: got %d clients, error %v", len(small.GetClients()), err)
	}
	list := func(request *apiv1.ListClientsRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := service.ListClients(ctx, request); return err }
	}
	for name, call := range map[string]func(context.Context) error{
		"without pages": list(&apiv1.ListClientsRequest{}),
		"a page":        list(&apiv1.ListClientsRequest{PageSize: proto.Int32(1000)}),
		"public clients": func(ctx context.Context) error {
			_, err := service.GetPublicClients(ctx, &apiv1.GetPublicClientsRequest{ClientId: ids})
			return err
		},
	} {
		waiting, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // it ends in any case: the turn does not
		if err := call(waiting); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, while another list has the turn: got error %v", name, err)
		}
		cancel()
	}
	end()
	for range 2 { // the first gives the turn back
		large, err := service.ListClients(ctx, &apiv1.ListClientsRequest{})
		if err != nil || len(large.GetClients()) != clients {
			t.Errorf("after that: got %d clients, error %v", len(large.GetClients()), err)
		}
	}
}
