package oauthclient_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

func TestNewStore_InvalidPrefix(t *testing.T) {
	store, err := oauthclient.NewStore(oauthclient.Config{SecretPrefix: "sk live"})
	if store != nil || err == nil || !strings.Contains(err.Error(), "prefix") {
		t.Errorf("got %v, error %v", store, err)
	}
}

// operations are everything that names one client, as the holder of a caller.
func (w world) operations(ctx context.Context, caller oauthclient.Caller, id uuid.UUID) map[string]func() error {
	name, hash := "Renamed", "0123456789abcdef0123456789abcdef"
	return map[string]func() error{
		"Get":           func() error { _, err := w.Get(ctx, caller, id); return err },
		"GetWithSecret": func() error { _, err := w.GetWithSecret(ctx, caller, id); return err },
		"Rotate": func() error {
			_, err := w.Rotate(ctx, caller, oauthclient.RotateInput{ClientID: id, IncludeSecret: true})
			return err
		},
		"Update": func() error {
			_, err := w.Update(ctx, caller, id, oauthclient.UpdateInput{Name: &name})
			return err
		},
		"Update of nothing": func() error { _, err := w.Update(ctx, caller, id, oauthclient.UpdateInput{}); return err },
		"Delete":            func() error { return w.Delete(ctx, caller, id) },
		"SetLogo":           func() error { _, err := w.SetLogo(ctx, caller, id, []byte("png"), hash); return err },
	}
}

func TestStore_InvisibleClientIsNotFound(t *testing.T) {
	w := newWorld(t, nil)
	id := w.create(t, input()).ID
	before := w.row(t, id)
	admin := acme
	admin.Organisation, admin.Admin = "other", true
	for name, tt := range map[string]struct {
		caller oauthclient.Caller
		id     uuid.UUID
	}{
		"no client":                            {acme, uuid.New()},
		"no id":                                {acme, uuid.Nil},
		"another organisation's":               {oauthclient.Caller{Organisation: "other"}, id},
		"another organisation's, for an admin": {admin, id},
		"another spelling of the name":         {oauthclient.Caller{Organisation: "ACME"}, id},
		"a caller without organisation":        {oauthclient.Caller{}, id},
	} {
		for operation, call := range w.operations(t.Context(), tt.caller, tt.id) {
			t.Run(operation+" of "+name, func(t *testing.T) {
				if err := call(); !errors.Is(err, oauthclient.ErrNotFound) || err.Error() != "client not found" {
					t.Errorf("got error %v", err)
				}
			})
		}
		got, err := w.Verify(t.Context(), tt.caller, tt.id, secret.Generate("").Reveal())
		if got != (oauthclient.Verification{}) || err != nil {
			t.Errorf("Verify of %s: got %v, error %v", name, got, err)
		}
	}
	w.wantUnchanged(t, before)
}

func (w world) wantUnchanged(t *testing.T, before *ent.OAuthClient) {
	t.Helper()
	after := w.row(t, before.ID)
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ent.OAuthClient{}, ent.OAuthClientEdges{})); diff != "" {
		t.Errorf("the row has changed (-before +after):\n%s", diff)
	}
	if events := w.events(t, before.ID); len(events) != 1 {
		t.Errorf("got %d events, want that of the creation only", len(events))
	}
}

func TestStore_CallerCanceled(t *testing.T) {
	w := newWorld(t, nil)
	id := w.create(t, input()).ID
	before := w.row(t, id)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	for ctx, want := range map[context.Context]error{gone: context.Canceled, late: context.DeadlineExceeded} {
		operations := w.operations(ctx, acme, id)
		operations["Create"] = func() error { _, err := w.Create(ctx, acme, input()); return err }
		operations["List"] = func() error { _, err := w.List(ctx, acme, oauthclient.ListInput{}); return err }
		operations["Public"] = func() error { _, err := w.Public(ctx, []uuid.UUID{id}); return err }
		operations["Logo"] = func() error { _, err := w.Logo(ctx, oauthclient.Logo{ClientID: id}); return err }
		operations["Verify"] = func() error {
			_, err := w.Verify(ctx, acme, id, secret.Generate("").Reveal())
			return err
		}
		for name, call := range operations {
			t.Run(fmt.Sprint(name, ", ", want), func(t *testing.T) {
				if err := call(); !errors.Is(err, want) {
					t.Errorf("got error %v, want %v", err, want)
				}
			})
		}
	}
	w.wantUnchanged(t, before)
	if page, err := w.page(t.Context(), oauthclient.ListInput{}); err != nil || len(page.Clients) != 1 {
		t.Errorf("got %v, error %v", page, err)
	}
}

// Verifying must go on when the key is gone, and a rotation must heal.
func TestVerify_NeedsNoKeyset(t *testing.T) {
	w := newWorld(t, nil)
	record := w.create(t, input())
	other, err := storage.Open(t.Context(), storage.Config{Dir: t.TempDir(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	store, err := oauthclient.NewStore(oauthclient.Config{Transact: w.storage.DB.Transact, Classify: database.Classify, Read: w.storage.DB.Read, Keyset: other.Keyset})
	if err != nil {
		t.Fatal(err)
	}
	want := oauthclient.Verification{Match: oauthclient.MatchCurrent, Version: 1, ClientExists: true}
	if got, err := store.Verify(t.Context(), acme, record.ID, record.Secret.Reveal()); got != want || err != nil {
		t.Errorf("Verify: got %v, error %v", got, err)
	}
	if got, err := store.GetWithSecret(t.Context(), acme, record.ID); !errors.Is(err, oauthclient.ErrDamagedSecret) || !got.Secret.IsZero() {
		t.Errorf("GetWithSecret: got %v, error %v", got, err)
	}
	if _, err := store.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: record.ID}); err != nil {
		t.Errorf("Rotate: %v", err)
	}
	if got, err := store.GetWithSecret(t.Context(), acme, record.ID); err != nil || got.Secret.IsZero() {
		t.Errorf("GetWithSecret after that: got %v, error %v", got, err)
	}
}

func TestRotate_ApplicationClient(t *testing.T) {
	w := newWorld(t, nil)
	id := w.create(t, input()).ID
	public := input()
	public.Confidential = false
	publicID := w.create(t, public).ID
	for name, tt := range map[string]struct {
		in   oauthclient.RotateInput
		want error
	}{
		"its own":                           {oauthclient.RotateInput{ClientID: id, ApplicationID: "app"}, nil},
		"any":                               {oauthclient.RotateInput{ClientID: id}, nil},
		"another":                           {oauthclient.RotateInput{ClientID: id, ApplicationID: "other"}, oauthclient.ErrNotFound},
		"its own, of a public client":       {oauthclient.RotateInput{ClientID: publicID, ApplicationID: "app"}, oauthclient.ErrPublicClient},
		"another, of a public client":       {oauthclient.RotateInput{ClientID: publicID, ApplicationID: "other"}, oauthclient.ErrNotFound},
		"any, of a client that has no such": {oauthclient.RotateInput{ClientID: publicID}, oauthclient.ErrPublicClient},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.Rotate(t.Context(), acme, tt.in); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestEvent_NamesCallerAndOrganisation(t *testing.T) {
	w := newWorld(t, nil)
	id := w.create(t, input()).ID
	admin := oauthclient.Caller{
		Organisation: "home", TokenOrganisation: "home", Issuer: "i", Subject: "s", ClientID: "c", Admin: true, RequestID: "r", Address: "a", API: "f",
	}
	rotated, err := w.Rotate(t.Context(), admin.In("acme"), oauthclient.RotateInput{ClientID: id, IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	got := w.events(t, id)[1]
	want := &ent.ClientEvent{
		ID: got.ID, ClientID: &id, Organisation: "acme", Kind: "secret_rotated", At: got.At, SecretVersion: 2, SecretReleased: true,
		SecretLookup: secret.LookupOf(rotated.Secret),
		ActorIssuer:  "i", ActorSubject: "s", ActorClientID: "c", ActorOrganisation: "home", RequestID: "r", Address: "a", API: "f",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ent.ClientEvent{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
