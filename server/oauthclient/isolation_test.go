package oauthclient_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientlogo"
	"clientsd/ent/oauthclient"
	"clientsd/server/database"
	domain "clientsd/server/oauthclient"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

const logoHash = "0123456789abcdef0123456789abcdef"

// newNeighbour makes a client with a logo, an overlap and two secrets, as every
// client of a test of isolation is.
func newNeighbour(t *testing.T, store *domain.Store, caller domain.Caller) domain.Record {
	t.Helper()
	record, err := store.Create(t.Context(), caller, input())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SetLogo(t.Context(), caller, record.ID, []byte("png"), logoHash); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Rotate(t.Context(), caller, domain.RotateInput{ClientID: record.ID, Overlap: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return record
}

// belongings returns all that is stored of a client.
func (w world) belongings(t *testing.T, id uuid.UUID) []string {
	t.Helper()
	var rows []string
	for _, row := range w.storage.DB.Read.OAuthClient.Query().Where(oauthclient.ID(id)).AllX(t.Context()) {
		rows = append(rows, fmt.Sprintf("%v %x %x %x", row, row.SecretDigest, row.SecretSealed, row.PreviousSecretDigest))
	}
	for _, logo := range w.storage.DB.Read.ClientLogo.Query().Where(clientlogo.ClientID(id)).AllX(t.Context()) {
		rows = append(rows, fmt.Sprint(logo))
	}
	for _, event := range w.events(t, id) {
		rows = append(rows, fmt.Sprint(event))
	}
	return rows
}

// Every call changes the client that it names, and no other of the same organisation
// or of another one.
func TestStore_ChangesOneClient(t *testing.T) {
	name := "Renamed"
	for operation, call := range map[string]func(t *testing.T, w world, record domain.Record) error{
		"SetLogo": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.SetLogo(t.Context(), acme, record.ID, []byte("other"), strings.Repeat("f", 32))
			return err
		},
		"Update": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Update(t.Context(), acme, record.ID, domain.UpdateInput{Name: &name})
			return err
		},
		"Update that removes the logo": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Update(t.Context(), acme, record.ID, domain.UpdateInput{RemoveLogo: true})
			return err
		},
		"Delete": func(t *testing.T, w world, record domain.Record) error {
			return w.Delete(t.Context(), acme, record.ID)
		},
		"GetWithSecret": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.GetWithSecret(t.Context(), acme, record.ID)
			return err
		},
		"RevokePrevious": func(t *testing.T, w world, record domain.Record) error {
			_, _, err := w.RevokePrevious(t.Context(), acme, record.ID)
			return err
		},
		"Rotate": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Rotate(t.Context(), acme, domain.RotateInput{ClientID: record.ID})
			return err
		},
		"Rotate with a key": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Rotate(t.Context(), acme, domain.RotateInput{ClientID: record.ID, Key: newKey(t, "key")})
			return err
		},
		"Verify of the previous secret": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Verify(t.Context(), acme, record.ID, record.Secret.Reveal())
			return err
		},
		"Verify of a wrong secret": func(t *testing.T, w world, record domain.Record) error {
			_, err := w.Verify(t.Context(), acme, record.ID, secret.Generate("").Reveal())
			return err
		},
	} {
		t.Run(operation, func(t *testing.T) {
			l := newLife(t, false)
			named, neighbour := newNeighbour(t, l.Store, acme), newNeighbour(t, l.Store, acme)
			stranger := newNeighbour(t, l.Store, domain.Caller{Organisation: "other"})
			before, after := map[uuid.UUID][]string{}, map[uuid.UUID][]string{}
			ids := []uuid.UUID{named.ID, neighbour.ID, stranger.ID}
			for _, id := range ids {
				before[id] = l.belongings(t, id)
			}
			if err := call(t, l.world, named); err != nil {
				t.Fatal(err)
			}
			l.Close()
			for _, id := range ids {
				after[id] = l.belongings(t, id)
			}
			if cmp.Equal(before[named.ID], after[named.ID]) {
				t.Error("nothing is changed")
			}
			delete(before, named.ID)
			delete(after, named.ID)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("other clients (-before +after):\n%s", diff)
			}
		})
	}
}

// What a verification has seen is recorded later. Meanwhile the secret may have been
// replaced or revoked: then it is no longer the previous one.
func TestVerify_PreviousSecretGoneMeanwhile(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, fast *domain.Store, id uuid.UUID) error{
		"replaced": func(t *testing.T, fast *domain.Store, id uuid.UUID) error {
			_, err := fast.Rotate(t.Context(), acme, domain.RotateInput{ClientID: id, Overlap: time.Hour, ReplacePrevious: true})
			return err
		},
		"revoked": func(t *testing.T, fast *domain.Store, id uuid.UUID) error {
			_, _, err := fast.RevokePrevious(t.Context(), acme, id)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOverlapping(t)
			o.verify(t)
			fast := newStore(t, domain.Config{
				Transact: o.storage.DB.Transact, Classify: database.Classify, Read: o.storage.DB.Read, Keyset: o.storage.Keyset, MaxOverlap: time.Hour,
			})
			if err := change(t, fast, o.id); err != nil {
				t.Fatal(err)
			}
			close(o.release)
			o.Close()
			if used := o.row(t, o.id).PreviousSecretLastUsedAt; used != nil {
				t.Errorf("the use is recorded of another secret, at %v", used)
			}
		})
	}
}

func TestVerify_RecordThatFailsIsLogged(t *testing.T) {
	l := newLife(t, false)
	wrong := secret.Generate("sk_live_").Reveal()
	for name, transact := range map[string]tx.Transactor{
		"it works": l.storage.DB.Transact,
		"it fails": func(context.Context, tx.Body) error { return errFault },
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			l.config.Log, l.config.Transact = slog.New(slog.NewTextHandler(&log, nil)), transact
			store := newStore(t, l.config)
			if _, err := store.Verify(t.Context(), acme, l.create(t, input()).ID, wrong); err != nil {
				t.Fatal(err)
			}
			store.Close()
			const want = `level=WARN msg="what a verification has seen is not on record" client=`
			warned := strings.Contains(log.String(), want) && strings.Contains(log.String(), errFault.Error())
			if warned != (name == "it fails") || strings.Contains(log.String(), wrong) {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

// However many clients are verified while the database is slow, memory is bounded,
// and one transaction writes at a time.
func TestVerify_PendingRecordsAreBounded(t *testing.T) {
	const clients, most = 1100, 1024
	o := newOverlapping(t)
	rows := make([]*ent.OAuthClientCreate, clients)
	for i := range rows {
		organisation := fmt.Sprint("organisation ", i%2) // each may have a thousand events
		rows[i] = o.storage.DB.Write.OAuthClient.Create().SetID(uuid.New()).SetOrganisation(organisation).
			SetCreatedAt(time.Now()).SetUpdatedAt(time.Now()).SetName("").SetRedirectURI("").SetWebsiteURL("").SetDescription("").
			SetSupportsRefreshToken(false).SetSupportsImplicitGrant(false).SetSupportsDeviceCodeGrant(false).SetSupportsCodeGrant(false).
			SetUsesManagedBuckets(false).SetApplicationBindings([]domain.Binding{}).SetAllowedDelegators([]string{}).
			SetBackchannelLogoutSessionRequired(false).SetFrontchannelLogoutSessionRequired(false).SetPostLogoutRedirectUris([]string{}).
			SetIsVerified(false).SetHasSecret(true)
	}
	var made []*ent.OAuthClient
	for len(rows) > 0 {
		n := min(100, len(rows))
		made, rows = append(made, o.storage.DB.Write.OAuthClient.CreateBulk(rows[:n]...).SaveX(t.Context())...), rows[n:]
	}
	wrong := secret.Generate("").Reveal()
	var group sync.WaitGroup
	var next atomic.Int32
	for range 4 {
		group.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(made); i = next.Add(1) - 1 {
				if _, err := o.Verify(t.Context(), domain.Caller{Organisation: made[i].Organisation}, made[i].ID, wrong); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if writes := o.writes.Load(); writes > 1 {
		t.Errorf("%d transactions write at the same time", writes)
	}
	o.slow.Store(false)
	close(o.release)
	o.Close()
	if got := o.storage.DB.Read.ClientEvent.Query().CountX(t.Context()) - 2; got == 0 || got > most+1 {
		t.Errorf("got %d events of %d clients, want at most %d", got, clients, most+1)
	}
}

func TestTotals_OldestSecretOfPublicClients(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	public := input()
	public.Confidential = false
	w.create(t, public)
	if got, err := w.Totals(t.Context()); err != nil || !got.OldestSecret.IsZero() {
		t.Errorf("of a public client: got %v, error %v", got, err)
	}
	clock.move(time.Hour)
	first := w.create(t, input())
	clock.move(time.Hour)
	w.create(t, input())
	if got, err := w.Totals(t.Context()); err != nil || got.OldestSecret != first.CreatedAt {
		t.Errorf("got %v, error %v, want %v", got, err, first.CreatedAt)
	}
	w.rotateOnce(t, first.ID)
	if got, err := w.Totals(t.Context()); err != nil || got.OldestSecret != clock.now() {
		t.Errorf("after a rotation: got %v, error %v, want %v", got, err, clock.now())
	}
}

// What was seen of one secret must not show as seen of the next one.
func TestRotate_ForgetsWhatWasSeenOfTheSecretBefore(t *testing.T) {
	for name, keyed := range map[string]bool{"in a transaction of its own": true, "batched": false} {
		t.Run(name, func(t *testing.T) {
			for _, overlap := range []time.Duration{0, time.Hour} {
				l := newLife(t, keyed)
				l.rotate(t, time.Hour)
				if got, err := l.Verify(t.Context(), acme, l.id, l.secrets[1]); err != nil || got.Match != domain.MatchPrevious {
					t.Fatalf("got %v, error %v", got, err)
				}
				l.Close()
				if l.row(t, l.id).PreviousSecretLastUsedAt == nil {
					t.Fatal("the use is not on record")
				}
				l.rotate(t, overlap)
				if used := l.row(t, l.id).PreviousSecretLastUsedAt; used != nil {
					t.Errorf("with an overlap of %v: the secret that is the previous one now was used at %v", overlap, used)
				}
			}
		})
	}
}

func TestRevokePrevious_ForgetsWhatWasSeenOfTheSecretBefore(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, 0)
	l.rotate(t, time.Hour)
	l.present(t, l.id, l.secrets[1])
	l.revoke(t)
	lines := l.present(t, l.id, l.secrets[2])
	if len(lines) != 2 || !strings.HasPrefix(lines[1], "ended_secret_presented 2") {
		t.Errorf("the revoked secret was presented within an hour: got events %v", lines)
	}
}
