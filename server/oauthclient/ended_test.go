package oauthclient_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent/clientevent"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/secret"
	"clientsd/server/servertest/storagetest"
)

// A life is a client, all of its secrets, and a clock.
type life struct {
	world

	config  oauthclient.Config
	now     time.Time
	id      uuid.UUID
	secrets []string // by version, from 1
	keyed   bool     // each rotation in a transaction of its own
}

func newLife(t *testing.T, keyed bool) *life {
	t.Helper()
	l := &life{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), secrets: []string{""}, keyed: keyed}
	opened := storagetest.Open(t)
	l.config = oauthclient.Config{
		Transact: opened.DB.Transact, TransactStatement: opened.DB.StatementTransactor(),
		Classify: database.Classify, Read: opened.DB.Read,
		Keyset: opened.Keyset, SecretPrefix: "sk_live_", MaxOverlap: 24 * time.Hour, Clock: func() time.Time { return l.now },
		Log: slog.New(slog.DiscardHandler),
	}
	l.world = world{newStore(t, l.config), opened}
	record := l.create(t, input())
	l.id, l.secrets = record.ID, append(l.secrets, record.Secret.Reveal())
	return l
}

func newStore(t *testing.T, config oauthclient.Config) *oauthclient.Store {
	t.Helper()
	store, err := oauthclient.NewStore(config)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// rotate rotates, and lets a minute pass.
func (l *life) rotate(t *testing.T, overlap time.Duration) {
	t.Helper()
	in := oauthclient.RotateInput{ClientID: l.id, IncludeSecret: true, Overlap: overlap, ReplacePrevious: true}
	if l.keyed {
		key, err := oauthclient.ParseIdempotencyKey(uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		in.Key = key
	}
	record, err := l.Rotate(t.Context(), acme, in)
	if err != nil {
		t.Fatal(err)
	}
	l.secrets = append(l.secrets, record.Secret.Reveal())
	l.now = l.now.Add(time.Minute)
}

func (l *life) revoke(t *testing.T) {
	t.Helper()
	if _, revoked, err := l.RevokePrevious(t.Context(), acme, l.id); err != nil || !revoked {
		t.Fatalf("revoked %v, error %v", revoked, err)
	}
	l.now = l.now.Add(time.Minute)
}

// ended is the secret that ended last, as it is stored.
type ended struct {
	Version int64
	After   time.Duration // since the beginning
}

// endedRow returns the secret that ended last, or the zero value.
func (l *life) endedRow(t *testing.T) ended {
	t.Helper()
	row := l.row(t, l.id)
	if row.EndedDigest == nil {
		if row.EndedVersion != nil || row.EndedAt != nil {
			t.Errorf("without a digest there is version %v, ended at %v", row.EndedVersion, row.EndedAt)
		}
		return ended{}
	}
	plain, err := secret.Parse(l.secrets[*row.EndedVersion])
	if err != nil {
		t.Fatal(err)
	}
	if !secret.DigestOf(l.id, plain).Matches(row.EndedDigest) {
		t.Errorf("the digest is not that of version %d", *row.EndedVersion)
	}
	return ended{*row.EndedVersion, row.EndedAt.Sub(row.CreatedAt)}
}

func TestEndedSecret_EveryWayToEnd(t *testing.T) {
	const current, previous, gone, none = oauthclient.MatchCurrent, oauthclient.MatchPrevious, oauthclient.MatchEnded, oauthclient.NoMatch
	for name, tt := range map[string]struct {
		live  func(*testing.T, *life)
		ended ended
		// verify is what Verify matches, and found the state that FindSecret returns: of
		// each version, from 1.
		verify, found []oauthclient.Match
	}{
		"none yet": {func(*testing.T, *life) {}, ended{}, []oauthclient.Match{current}, []oauthclient.Match{current}},
		"a rotation": {
			func(t *testing.T, l *life) { l.rotate(t, 0) },
			ended{1, 0},
			[]oauthclient.Match{gone, current},
			[]oauthclient.Match{gone, current},
		},
		"two rotations": {
			func(t *testing.T, l *life) { l.rotate(t, 0); l.rotate(t, 0) },
			ended{2, time.Minute},
			[]oauthclient.Match{none, gone, current},
			[]oauthclient.Match{gone, gone, current},
		},
		"an overlap that goes on": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour) },
			ended{},
			[]oauthclient.Match{previous, current},
			[]oauthclient.Match{previous, current},
		},
		"an overlap after another secret ended": {
			func(t *testing.T, l *life) { l.rotate(t, 0); l.rotate(t, time.Hour) },
			ended{1, 0},
			[]oauthclient.Match{gone, previous, current},
			[]oauthclient.Match{gone, previous, current},
		},
		"an overlap that has ended by itself": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour); l.now = l.now.Add(time.Hour) },
			ended{},
			[]oauthclient.Match{gone, current},
			[]oauthclient.Match{gone, current},
		},
		"an overlap that has ended, and a rotation": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour); l.now = l.now.Add(time.Hour); l.rotate(t, 0) },
			ended{2, 61 * time.Minute},
			[]oauthclient.Match{none, gone, current},
			[]oauthclient.Match{gone, gone, current},
		},
		"an overlap that has ended, and another one": {
			func(t *testing.T, l *life) {
				l.rotate(t, time.Hour)
				l.now = l.now.Add(2 * time.Hour)
				l.rotate(t, time.Hour)
			},
			ended{1, time.Hour},
			[]oauthclient.Match{gone, previous, current},
			[]oauthclient.Match{gone, previous, current},
		},
		"an overlap that a rotation ends": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour); l.rotate(t, 0) },
			ended{2, time.Minute},
			[]oauthclient.Match{none, gone, current},
			[]oauthclient.Match{gone, gone, current},
		},
		"an overlap that another one replaces": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour); l.rotate(t, time.Hour) },
			ended{1, time.Minute},
			[]oauthclient.Match{gone, previous, current},
			[]oauthclient.Match{gone, previous, current},
		},
		"an overlap that was revoked": {
			func(t *testing.T, l *life) { l.rotate(t, time.Hour); l.revoke(t) },
			ended{1, time.Minute},
			[]oauthclient.Match{gone, current},
			[]oauthclient.Match{gone, current},
		},
	} {
		for how, keyed := range map[string]bool{"in a transaction of its own": true, "batched": false} {
			t.Run(name+", "+how, func(t *testing.T) {
				l := newLife(t, keyed)
				tt.live(t, l)
				if diff := cmp.Diff(tt.ended, l.endedRow(t)); diff != "" {
					t.Errorf("the secret that ended last (-want +got):\n%s", diff)
				}
				for i, text := range l.secrets[1:] {
					version := int64(i + 1)
					want := oauthclient.Verification{Match: tt.verify[i], Version: version, ClientExists: true}
					if want.Match == none {
						want.Version = 0
					}
					if got, err := l.Verify(t.Context(), acme, l.id, text); got != want || err != nil {
						t.Errorf("version %d: Verify got %v, error %v, want %v", version, got, err, want)
					}
					found := oauthclient.FoundSecret{ClientID: l.id, Version: version, Match: tt.found[i]}
					if got, err := l.FindSecret(t.Context(), acme, text); got != found || err != nil {
						t.Errorf("version %d: FindSecret got %v, error %v, want %v", version, got, err, found)
					}
				}
				l.Close()
			})
		}
	}
}

// Whatever the clock says, and whatever else is in the row.
func TestEndedSecret_IsNeverValid(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, time.Hour)
	l.revoke(t)
	future := l.now.Add(24 * time.Hour)
	err := l.storage.DB.Write.OAuthClient.UpdateOneID(l.id).SetEndedAt(future).SetPreviousSecretExpiresAt(future).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []time.Time{{}, l.now.Add(-48 * time.Hour), l.now, future.Add(time.Hour)} {
		l.now = now
		if got, err := l.Verify(t.Context(), acme, l.id, l.secrets[1]); got.Match.Valid() || got.Match != oauthclient.MatchEnded || err != nil {
			t.Errorf("at %v: got %v, error %v", now, got, err)
		}
	}
	l.Close()
}

func TestMatch_ValidOnlyIfItIsOneOfTwo(t *testing.T) {
	for match := range oauthclient.Match(100) {
		if want := match == oauthclient.MatchCurrent || match == oauthclient.MatchPrevious; match.Valid() != want {
			t.Errorf("%d: got %v", match, match.Valid())
		}
	}
}

func TestFindSecret_DeletedClient(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, time.Hour)
	if err := l.Delete(t.Context(), acme, l.id); err != nil {
		t.Fatal(err)
	}
	for i, text := range l.secrets[1:] {
		want := oauthclient.FoundSecret{ClientID: l.id, Version: int64(i + 1), Match: oauthclient.MatchEnded}
		if got, err := l.FindSecret(t.Context(), acme, text); got != want || err != nil {
			t.Errorf("got %v, error %v, want %v", got, err, want)
		}
	}
}

// An accepted restore moves the version of a secret, and not that of its event.
func TestFindSecret_VersionOfAValidSecretIsTheClients(t *testing.T) {
	l := newLife(t, true)
	if err := l.storage.DB.Write.OAuthClient.UpdateOneID(l.id).SetSecretVersion(1_000_001).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := oauthclient.FoundSecret{ClientID: l.id, Version: 1_000_001, Match: oauthclient.MatchCurrent}
	if got, err := l.FindSecret(t.Context(), acme, l.secrets[1]); got != want || err != nil {
		t.Errorf("got %v, error %v, want %v", got, err, want)
	}
}

func TestFindSecret_NotFound(t *testing.T) {
	l := newLife(t, true)
	for name, tt := range map[string]struct {
		caller oauthclient.Caller
		text   string
	}{
		"a secret that was never issued": {acme, secret.Generate("sk_live_").Reveal()},
		"of another organisation":        {oauthclient.Caller{Organisation: "other"}, l.secrets[1]},
		"for a caller without one":       {oauthclient.Caller{}, l.secrets[1]},
	} {
		if got, err := l.FindSecret(t.Context(), tt.caller, tt.text); !errors.Is(err, oauthclient.ErrSecretNotFound) {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
	// As it is in a database that an earlier version has written.
	if _, err := l.storage.DB.Write.ExecContext(t.Context(), "UPDATE client_events SET secret_lookup = NULL"); err != nil {
		t.Fatal(err)
	}
	if got, err := l.FindSecret(t.Context(), acme, l.secrets[1]); !errors.Is(err, oauthclient.ErrSecretNotFound) {
		t.Errorf("issued before events had lookups: got %v, error %v", got, err)
	}
}

// Events that issue a secret have its lookup, and no others: they would be in the
// index for nothing.
func TestLookup_OnlyInEventsThatIssue(t *testing.T) {
	l := newLife(t, true)
	l.rotate(t, time.Hour)
	l.keyed = false
	l.rotate(t, 0)
	if _, err := l.GetWithSecret(t.Context(), acme, l.id); err != nil {
		t.Fatal(err)
	}
	issued := map[int64][]byte{}
	for _, e := range l.events(t, l.id) {
		issues := e.Kind == clientevent.KindCreated || e.Kind == clientevent.KindSecretRotated
		if issues != (e.SecretLookup != nil) {
			t.Errorf("%v has the lookup %x", e.Kind, e.SecretLookup)
		}
		if issues {
			issued[e.SecretVersion] = e.SecretLookup
		}
	}
	want := map[int64][]byte{}
	for version, text := range l.secrets[1:] {
		plain, err := secret.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want[int64(version+1)] = secret.LookupOf(plain)
	}
	if diff := cmp.Diff(want, issued); diff != "" {
		t.Errorf("lookups by version (-want +got):\n%s", diff)
	}
	public := input()
	public.Confidential, public.ManagedBuckets = false, false
	if e := l.events(t, l.create(t, public).ID)[0]; e.SecretLookup != nil {
		t.Errorf("the event of a public client has the lookup %x", e.SecretLookup)
	}
}
