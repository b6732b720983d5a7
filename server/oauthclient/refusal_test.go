package oauthclient_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/oauthclient"
	"clientsd/server/secret"
	"clientsd/server/tx"
)

// present verifies a secret, waits until what is to be recorded is, and returns the
// events about refused secrets, the oldest first. The next call works with another
// store, so that nothing depends on the memory of one.
func (l *life) present(t *testing.T, id uuid.UUID, text string) (lines []string) {
	t.Helper()
	if got, err := l.Verify(t.Context(), acme, id, text); err != nil || got.Match.Valid() {
		t.Fatalf("Verify: got %v, error %v", got, err)
	}
	l.Close()
	l.Store = newStore(t, l.config)
	for _, e := range l.refusals(t) {
		lines = append(lines, fmt.Sprintf("%s %d after %v", e.Kind, e.SecretVersion, e.At.Sub(l.row(t, l.id).CreatedAt)))
	}
	return lines
}

// refusals returns the events about refused secrets of all clients.
func (l *life) refusals(t *testing.T) []*ent.ClientEvent {
	t.Helper()
	events, err := l.storage.DB.Read.ClientEvent.Query().Where(clientevent.SecretRefused(true)).Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestRefusals_OneEventInAnHour(t *testing.T) {
	l := newLife(t, true)
	const minute = time.Minute
	steps := []struct {
		name  string
		after time.Duration
		do    func()        // nil: nothing
		text  func() string // what is presented
		want  string        // empty: no new event
	}{
		{name: "the first wrong secret", text: wrong, want: "verification_failures 1 after 0s"},
		{name: "the next one", text: wrong},
		{name: "one that is malformed", text: malformed},
		{name: "within the hour", after: 60*minute - time.Microsecond, text: malformed},
		{name: "an hour later", after: time.Microsecond, text: malformed, want: "verification_failures 1 after 1h0m0s"},
		{
			name: "the secret that a rotation ended", do: func() { l.rotate(t, 0) }, text: l.version(1),
			want: "ended_secret_presented 1 after 1h1m0s",
		},
		{name: "again", after: 10 * minute, text: l.version(1)},
		{name: "wrong secrets have an hour of their own", text: wrong},
		{name: "an hour after that", after: 49 * minute, text: wrong, want: "verification_failures 2 after 2h0m0s"},
		{name: "still within the hour", text: l.version(1)},
		{name: "an hour after it was presented first", after: minute, text: l.version(1), want: "ended_secret_presented 1 after 2h1m0s"},
		{
			name: "the next secret that has ended", do: func() { l.rotate(t, 0) }, text: l.version(2),
			want: "ended_secret_presented 2 after 2h2m0s",
		},
		{name: "one that ended before it is a wrong one", after: 58 * minute, text: l.version(1), want: "verification_failures 3 after 3h0m0s"},
		{
			name: "one whose overlap has ended", do: func() { l.rotate(t, time.Hour) }, after: time.Hour, text: l.version(3),
			want: "ended_secret_presented 3 after 4h1m0s",
		},
		{
			name: "one whose overlap was revoked", do: func() { l.rotate(t, time.Hour); l.revoke(t) }, text: l.version(4),
			want: "ended_secret_presented 4 after 4h3m0s",
		},
	}
	var want []string
	for _, step := range steps {
		if step.do != nil {
			step.do()
		}
		l.now = l.now.Add(step.after)
		if step.want != "" {
			want = append(want, step.want)
		}
		if diff := cmp.Diff(want, l.present(t, l.id, step.text())); diff != "" {
			t.Fatalf("%s: events (-want +got):\n%s", step.name, diff)
		}
	}
}

func wrong() string { return secret.Generate("sk_live_").Reveal() }

func malformed() string { return "password" }

// version returns a function that returns the secret of a version.
func (l *life) version(version int) func() string {
	return func() string { return l.secrets[version] }
}

func TestRefusals_NoneForClientsThatDoNotExist(t *testing.T) {
	l := newLife(t, true)
	deleted := l.create(t, input()).ID
	if err := l.Delete(t.Context(), acme, deleted); err != nil {
		t.Fatal(err)
	}
	foreign, err := l.Create(t.Context(), oauthclient.Caller{Organisation: "other"}, input())
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]uuid.UUID{"no client": uuid.New(), "no id": {}, "a deleted one": deleted, "another organisation's": foreign.ID} {
		for _, text := range []string{wrong(), malformed(), foreign.Secret.Reveal()} {
			if got := l.present(t, id, text); len(got) > 0 {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
	if row := l.row(t, foreign.ID); row.VerificationFailedAt != nil {
		t.Errorf("the row of another organisation has changed at %v", row.VerificationFailedAt)
	}
}

// Guesses must not keep the writers of the database busy.
func TestRefusals_NoTransactionUnlessOneIsDue(t *testing.T) {
	l := newLife(t, true)
	transact, transactions := l.config.Transact, 0
	l.config.Transact = func(ctx context.Context, body tx.Body) error {
		transactions++
		return transact(ctx, body)
	}
	l.Store = newStore(t, l.config)
	for _, step := range []struct {
		after time.Duration
		id    uuid.UUID
		want  int
	}{
		{0, uuid.New(), 0},
		{0, l.id, 1},
		{0, l.id, 1},
		{time.Hour - time.Microsecond, l.id, 1},
		{time.Microsecond, l.id, 2},
	} {
		l.now = l.now.Add(step.after)
		if l.present(t, step.id, wrong()); transactions != step.want {
			t.Errorf("got %d transactions, want %d", transactions, step.want)
		}
	}
}

func TestRefusals_PublicClient(t *testing.T) {
	l := newLife(t, true)
	public := input()
	public.Confidential, public.ManagedBuckets = false, false
	if diff := cmp.Diff([]string{"verification_failures 0 after 0s"}, l.present(t, l.create(t, public).ID, wrong())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRefusals_NameTheCaller(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, 0)
	l.present(t, l.id, wrong())
	l.present(t, l.id, l.secrets[1])
	for i, want := range []*ent.ClientEvent{
		{Kind: clientevent.KindVerificationFailures, SecretVersion: 2},
		{Kind: clientevent.KindEndedSecretPresented, SecretVersion: 1},
	} {
		got := l.refusals(t)[i]
		want.ID, want.At, want.ClientID, want.SecretRefused = got.ID, l.now, &l.id, true
		want.Organisation, want.ActorOrganisation, want.ActorIssuer, want.ActorSubject = "acme", "acme", acme.Issuer, acme.Subject
		want.ActorClientID, want.RequestID, want.Address, want.API = acme.ClientID, acme.RequestID, acme.Address, acme.API
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ent.ClientEvent{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Neither the client nor its revision changes: nobody could tell what was updated.
func TestRefusals_DoNotChangeTheClient(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, 0)
	before := l.row(t, l.id)
	l.present(t, l.id, wrong())
	l.present(t, l.id, l.secrets[1])
	after := l.row(t, l.id)
	before.VerificationFailedAt, before.EndedPresentedAt = &l.now, &l.now
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ent.OAuthClient{}, ent.OAuthClientEdges{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestRefusals_BoundedByOrganisationAndDay(t *testing.T) {
	const most = 1000
	l := newLife(t, true)
	clients := []uuid.UUID{l.id, l.create(t, input()).ID, l.create(t, input()).ID}
	l.addRefusals(t, "acme", most-1, l.now.Add(-time.Hour))
	l.addRefusals(t, "acme", most, l.now.Add(-24*time.Hour)) // a day ago
	l.addRefusals(t, "other", most, l.now)
	count := func() int { return len(l.refusals(t)) - (3*most - 1) }
	l.present(t, clients[0], wrong())
	if got := count(); got != 1 {
		t.Errorf("the last event that is allowed: got %d", got)
	}
	l.present(t, clients[1], wrong())
	l.present(t, clients[2], wrong())
	if got := count(); got != 1 {
		t.Errorf("beyond the bound: got %d events, want 1", got)
	}
	l.now = l.now.Add(23 * time.Hour) // all but one are a day old
	l.present(t, clients[1], wrong())
	if got := count(); got != 2 {
		t.Errorf("a day later: got %d events, want 2", got)
	}
}

// addRefusals adds events as they are of many clients.
func (l *life) addRefusals(t *testing.T, organisation string, n int, at time.Time) {
	t.Helper()
	rows := make([]*ent.ClientEventCreate, n)
	for i := range rows {
		rows[i] = l.storage.DB.Write.ClientEvent.Create().SetClientID(uuid.New()).SetOrganisation(organisation).SetKind(clientevent.KindVerificationFailures).
			SetAt(at).SetSecretVersion(1).SetSecretReleased(false).SetActorIssuer("").SetActorSubject("").SetActorClientID("").SetActorOrganisation("").
			SetRequestID("").SetAddress("").SetAPI("").SetSecretRefused(true)
	}
	if err := l.storage.DB.Write.ClientEvent.CreateBulk(rows...).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Replicas share the database only.
func TestRefusals_OneEventOfManyReplicas(t *testing.T) {
	l := newLife(t, true)
	var group sync.WaitGroup
	for range 4 {
		replica := newStore(t, l.config)
		group.Go(func() {
			for range 20 {
				if _, err := replica.Verify(t.Context(), acme, l.id, wrong()); err != nil {
					t.Error(err)
				}
			}
			replica.Close()
		})
	}
	group.Wait()
	if got := l.refusals(t); len(got) != 1 {
		t.Errorf("got %d events, want 1", len(got))
	}
}
