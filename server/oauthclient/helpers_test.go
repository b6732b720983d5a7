package oauthclient_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// A world is a Store on a real database.
type world struct {
	*oauthclient.Store

	storage *storage.Storage
}

var acme = oauthclient.Caller{
	Organisation: "acme", TokenOrganisation: "acme", Issuer: "https://issuer.example.com", Subject: "urn:xeonr:user:1", ClientID: "console",
	RequestID: "call-1", Address: "192.0.2.1", API: "xeonr",
}

// newWorld makes a Store on the database that storagetest says. A nil clock is that of the system.
func newWorld(t testing.TB, clock func() time.Time) world {
	t.Helper()
	opened := storagetest.Open(t)
	store, err := oauthclient.NewStore(oauthclient.Config{
		Transact: opened.DB.Transact, TransactStatement: opened.DB.StatementTransactor(),
		Classify: database.Classify, Read: opened.DB.Read,
		Keyset: opened.Keyset, SecretPrefix: "sk_live_", Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return world{store, opened}
}

// input describes a confidential client.
func input() oauthclient.CreateInput {
	return oauthclient.CreateInput{
		Confidential: true, Name: "Name", RedirectURI: "https://example.com/callback", WebsiteURL: "https://example.com",
		Description: "Description", ApplicationID: "app", BackchannelLogoutURI: "https://example.com/logout",
	}
}

func (w world) create(t testing.TB, in oauthclient.CreateInput) oauthclient.Record {
	t.Helper()
	record, err := w.Create(t.Context(), acme, in)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// page returns a page of the clients of acme.
func (w world) page(ctx context.Context, in oauthclient.ListInput) (oauthclient.Page, error) {
	list, err := w.List(ctx, acme, in)
	if err != nil {
		return oauthclient.Page{}, err
	}
	return list.Read(ctx)
}

func (w world) row(t testing.TB, id uuid.UUID) *ent.OAuthClient {
	t.Helper()
	row, err := w.storage.DB.Read.OAuthClient.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func (w world) events(t testing.TB, id uuid.UUID) []*ent.ClientEvent {
	t.Helper()
	events, err := w.storage.DB.Read.ClientEvent.Query().Where(clientevent.ClientID(id)).Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return events
}
