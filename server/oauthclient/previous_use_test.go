package oauthclient_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/tx"
)

// overlapping has a client whose previous secret is still valid, and a database
// that is as slow as the test wants.
type overlapping struct {
	world

	id       uuid.UUID
	previous string
	slow     atomic.Bool
	release  chan struct{}
	writes   atomic.Int32 // while it was slow
}

func newOverlapping(t *testing.T) *overlapping {
	t.Helper()
	opened := storagetest.Open(t)
	o := &overlapping{release: make(chan struct{})}
	store, err := oauthclient.NewStore(oauthclient.Config{
		Transact: func(ctx context.Context, body tx.Body) error {
			if o.slow.Load() {
				o.writes.Add(1)
				select {
				case <-o.release:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return opened.DB.Transact(ctx, body)
		},
		Classify: database.Classify, Read: opened.DB.Read, Keyset: opened.Keyset, SecretPrefix: "sk_live_", MaxOverlap: time.Hour,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	o.world = world{store, opened}
	record := o.create(t, input())
	if _, err := o.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: record.ID, Overlap: time.Hour}); err != nil {
		t.Fatal(err)
	}
	o.id, o.previous = record.ID, record.Secret.Reveal()
	o.slow.Store(true)
	return o
}

func (o *overlapping) verify(t *testing.T) {
	t.Helper()
	want := oauthclient.Verification{Match: oauthclient.MatchPrevious, Version: 1, ClientExists: true}
	if got, err := o.Verify(t.Context(), acme, o.id, o.previous); got != want || err != nil {
		t.Errorf("got %v, error %v", got, err)
	}
}

func TestVerify_DoesNotWaitForTheRecordOfAPreviousUse(t *testing.T) {
	o := newOverlapping(t)
	began := time.Now()
	for range 50 {
		o.verify(t)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("50 verifications took %v", took)
	}
	if used := o.row(t, o.id).PreviousSecretLastUsedAt; used != nil {
		t.Errorf("it is on record already, at %v: the test measures nothing", used)
	}
	close(o.release)
	o.Close()
	if o.row(t, o.id).PreviousSecretLastUsedAt == nil {
		t.Error("a use that was pending is not on record after Close")
	}
	if writes := o.writes.Load(); writes > 2 { // the first, and those that came meanwhile
		t.Errorf("50 uses of one client took %d writes", writes)
	}
}

func TestClose_DoesNotWaitForeverForADatabase(t *testing.T) {
	o := newOverlapping(t)
	o.verify(t)
	began := time.Now()
	o.Close()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	o.verify(t) // and it still answers
}
