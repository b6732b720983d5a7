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

// wantWait fails the test unless a call waits for a place that nobody gives back.
func wantWait(ctx context.Context, t *testing.T, name string, call func(context.Context) error) {
	t.Helper()
	waiting, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // it ends in any case
	defer cancel()
	if err := call(waiting); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: got error %v, want that it waits", name, err)
	}
}

// A second large list waits for the first. One that is small does not, and those with
// and without a token do not wait for each other.
func TestListClients_LargeListTakesAPlace(t *testing.T) {
	const clients = 15
	service, ids := startService(t, clients)
	ctx := auth.WithPrincipal(t.Context(), &auth.Principal{Organisation: "acme"})
	list := func(request *apiv1.ListClientsRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := service.ListClients(ctx, request); return err }
	}
	public := func(ctx context.Context) error {
		_, err := service.GetPublicClients(ctx, &apiv1.GetPublicClientsRequest{ClientId: ids})
		return err
	}
	end, err := service.TakeListPlace(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	wantWait(ctx, t, "without pages", list(&apiv1.ListClientsRequest{}))
	wantWait(ctx, t, "a page", list(&apiv1.ListClientsRequest{PageSize: proto.Int32(1000)}))
	if err := errors.Join(list(&apiv1.ListClientsRequest{PageSize: proto.Int32(1)})(ctx), public(t.Context())); err != nil {
		t.Errorf("a small list, and one without a token: %v", err)
	}
	end()
	end, err = service.TakePublicPlace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantWait(t.Context(), t, "public clients", public)
	for range 2 { // the first gives its place back
		if large, err := service.ListClients(ctx, &apiv1.ListClientsRequest{}); err != nil || len(large.GetClients()) != clients {
			t.Errorf("a large list: got %d clients, error %v", len(large.GetClients()), err)
		}
	}
	end()
	if err := errors.Join(public(t.Context()), public(t.Context())); err != nil {
		t.Errorf("public clients: %v", err)
	}
}
