package oauthclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/database"
	"clientsd/server/oauthclient"
	"clientsd/server/retention"
	"clientsd/server/tx"
)

// A stopwatch is a clock that a test moves.
type stopwatch struct{ at time.Time }

func newStopwatch() *stopwatch { return &stopwatch{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)} }

func (s *stopwatch) now() time.Time       { return s.at }
func (s *stopwatch) move(d time.Duration) { s.at = s.at.Add(d) }

func newKey(t *testing.T, text string) oauthclient.IdempotencyKey {
	t.Helper()
	key, err := oauthclient.ParseIdempotencyKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rotate rotates under a key and returns the version that the call answers.
func (w world) rotate(t *testing.T, id uuid.UUID, key string) int64 {
	t.Helper()
	record, err := w.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: id, Key: newKey(t, key)})
	if err != nil {
		t.Fatal(err)
	}
	return record.SecretVersion
}

func (w world) keys(t *testing.T) []*ent.IdempotencyKey {
	t.Helper()
	rows, err := w.storage.DB.Read.IdempotencyKey.Query().Order(ent.Asc("id")).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A recorder is a Store whose transactions a test sees.
type recorder struct {
	world

	statements []string
}

func newRecorder(t *testing.T, clock func() time.Time) *recorder {
	t.Helper()
	w := newWorld(t, clock)
	pools := w.storage.DB.Pools()
	pool, isSQLite := pools["write"]
	if !isSQLite {
		pool = pools["all"]
	}
	r := &recorder{}
	client := ent.NewClient(ent.Driver(dialect.DebugWithContext(entsql.OpenDB(w.storage.DB.Dialect(), pool), func(_ context.Context, said ...any) {
		_, statement, _ := strings.Cut(fmt.Sprint(said...), "query=")
		statement, _, _ = strings.Cut(statement, " args=")
		r.statements = append(r.statements, statement)
	})))
	store, err := oauthclient.NewStore(oauthclient.Config{
		Transact: func(ctx context.Context, body tx.Body) error { return tx.InTx(ctx, client, body) },
		Classify: database.Classify, Read: w.storage.DB.Read, Keyset: w.storage.Keyset, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.world = world{store, w.storage}
	return r
}

// The work of a call must not grow with what others have left.
func TestIdempotency_CostsTheSameWhateverHasExpired(t *testing.T) {
	clock := newStopwatch()
	w := newRecorder(t, clock.now)
	id := w.create(t, input()).ID
	w.statements = nil
	w.rotate(t, id, "a key")
	before := w.statements
	for i := range 20 {
		w.rotate(t, id, fmt.Sprint("expires ", i))
	}
	clock.move(25 * time.Hour)
	for _, key := range []string{"a new key", "expires 7"} {
		kept := w.keys(t)
		w.statements = nil
		w.rotate(t, id, key)
		if diff := cmp.Diff(before, w.statements); diff != "" {
			t.Errorf("%s: statements (-without expired keys +with):\n%s", key, diff)
		}
		changed := 0
		for i, row := range w.keys(t)[:len(kept)] {
			if !row.CreatedAt.Equal(kept[i].CreatedAt) || row.ID != kept[i].ID {
				changed++
			}
		}
		if (changed == 1) != (key == "expires 7") {
			t.Errorf("%s: %d rows that had expired are changed", key, changed)
		}
	}
	for _, statement := range before {
		if strings.Contains(statement, "idempotency_keys") && !strings.Contains(statement, "key") {
			t.Errorf("a statement is not about one key: %s", statement)
		}
	}
}

func TestIdempotency_ExpiredKeyIsNew(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	w.rotate(t, id, "key")
	clock.move(24 * time.Hour)
	if version := w.rotate(t, id, "key"); version != 2 {
		t.Errorf("after exactly a day: got version %d, want the first result", version)
	}
	clock.move(time.Microsecond)
	if version := w.rotate(t, id, "key"); version != 3 {
		t.Errorf("after a day: got version %d", version)
	}
	if version := w.rotate(t, id, "key"); version != 3 {
		t.Errorf("repeated: got version %d", version)
	}
	clock.move(24*time.Hour + time.Microsecond)
	in := input()
	in.Key = newKey(t, "key")
	made := w.create(t, in)
	if again := w.create(t, in); made.ID == id || again.ID != made.ID {
		t.Errorf("another request under the expired key: made %v, then %v", made.ID, again.ID)
	}
	if rows := w.keys(t); len(rows) != 1 || rows[0].ClientID != made.ID || rows[0].SecretVersion != 1 || rows[0].CreatedAt != clock.now() {
		t.Errorf("got rows %v", rows)
	}
}

// A call that is refused says why, and leaves the key as it is.
func TestIdempotency_RefusedCallUnderAnExpiredKey(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	w.rotate(t, id, "key")
	before := w.keys(t)
	clock.move(25 * time.Hour)
	_, err := w.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: id, ExpectedVersion: 7, Key: newKey(t, "key")})
	if !errors.Is(err, oauthclient.ErrVersion) {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(before, w.keys(t), cmpopts.IgnoreUnexported(ent.IdempotencyKey{})); diff != "" {
		t.Errorf("keys (-before +after):\n%s", diff)
	}
	if version := w.rotate(t, id, "key"); version != 3 {
		t.Errorf("got version %d", version)
	}
}

func TestIdempotency_ConcurrentCallsUnderAnExpiredKey(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	w.rotate(t, id, "key")
	clock.move(25 * time.Hour)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if version := w.rotate(t, id, "key"); version != 3 {
				t.Errorf("got version %d, want 3", version)
			}
		})
	}
	calls.Wait()
	if row := w.row(t, id); row.SecretVersion != 3 {
		t.Errorf("the secret has version %d, want 3", row.SecretVersion)
	}
}

// find returns what a rule finds.
func find(t *testing.T, rule retention.Rule, limit int) retention.Batch {
	t.Helper()
	batch, err := rule.Find(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// delete deletes a batch, and returns the number of rows.
func (w world) delete(t *testing.T, batch retention.Batch) (deleted int) {
	t.Helper()
	if batch.Delete == nil {
		return 0
	}
	err := w.storage.DB.Transact(t.Context(), func(ctx context.Context, tx *ent.Tx) (err error) {
		deleted, err = batch.Delete(ctx, tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return deleted
}

func TestExpiredKeys_OldestFirst(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	for i := range 5 {
		w.rotate(t, id, fmt.Sprint("key ", i))
		clock.move(time.Hour)
	}
	rule := w.ExpiredKeys()
	if rule.Table != "idempotency_keys" {
		t.Errorf("got table %s", rule.Table)
	}
	clock.move(19 * time.Hour) // the first key is exactly a day old
	if batch := find(t, rule, 10); batch.Delete != nil || batch.More || batch.Lag != 0 {
		t.Errorf("nothing has expired: got %+v", batch)
	}
	clock.move(2*time.Hour + time.Second) // three have expired
	all := w.keys(t)
	for i, want := range []struct {
		deleted int
		more    bool
		lag     time.Duration
	}{{2, true, 2*time.Hour + time.Second}, {1, false, time.Second}, {0, false, 0}} {
		batch := find(t, rule, 2)
		if deleted := w.delete(t, batch); deleted != want.deleted || batch.More != want.more || batch.Lag != want.lag {
			t.Errorf("batch %d: deleted %d, more %v, lag %v, want %+v", i, deleted, batch.More, batch.Lag, want)
		}
	}
	if left := w.keys(t); len(left) != 2 || left[0].ID != all[3].ID {
		t.Errorf("got keys %v of %v", left, all)
	}
}

// A call that uses an expired key again may be faster than its removal.
func TestExpiredKeys_ReplacedMeanwhile(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	w.rotate(t, id, "used again")
	w.rotate(t, id, "not used")
	clock.move(25 * time.Hour)
	batch := find(t, w.ExpiredKeys(), 10)
	version := w.rotate(t, id, "used again")
	if deleted := w.delete(t, batch); deleted != 1 {
		t.Errorf("deleted %d keys, want the one that was not used", deleted)
	}
	if again := w.rotate(t, id, "used again"); again != version {
		t.Errorf("the call is forgotten: got version %d, want %d", again, version)
	}
}

// left returns the events of a client, as kinds with versions.
func (w world) left(t *testing.T, id uuid.UUID) string {
	t.Helper()
	var kinds []string
	for _, event := range w.events(t, id) {
		kinds = append(kinds, fmt.Sprint(event.Kind, " ", event.SecretVersion))
	}
	return strings.Join(kinds, ", ")
}

// purge deletes batches until there is nothing more.
func (w world) purge(t *testing.T, rule retention.Rule, limit int) (deleted []int) {
	t.Helper()
	for more := true; more; {
		batch := find(t, rule, limit)
		more = batch.More
		if n := w.delete(t, batch); n > 0 {
			deleted = append(deleted, n)
		}
	}
	return deleted
}

func (w world) rotateOnce(t *testing.T, id uuid.UUID) {
	t.Helper()
	if _, err := w.Rotate(t.Context(), acme, oauthclient.RotateInput{ClientID: id}); err != nil {
		t.Fatal(err)
	}
}

// history makes a client with versions 1 to 4, a second apart, and reads the secret
// twice.
func (w world) history(t *testing.T, clock *stopwatch) uuid.UUID {
	t.Helper()
	id := w.create(t, input()).ID
	for range 2 {
		if _, err := w.GetWithSecret(t.Context(), acme, id); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		clock.move(time.Second)
		w.rotateOnce(t, id)
	}
	return id
}

const (
	wholeHistory = "created 1, secret_read 1, secret_read 1, secret_rotated 2, secret_rotated 3, secret_rotated 4"
	keptHistory  = "secret_rotated 3, secret_rotated 4"
	keep         = 30 * 24 * time.Hour
)

func TestOldEvents_KeepsWhatIssuedASecretThatMayBeUsed(t *testing.T) {
	clock := newStopwatch()
	began := clock.now()
	w := newWorld(t, clock.now)
	public := input()
	public.Confidential = false
	rotated, fresh, open := w.history(t, clock), w.create(t, input()).ID, w.create(t, public).ID
	gone := w.history(t, clock)
	if err := w.Delete(t.Context(), acme, gone); err != nil {
		t.Fatal(err)
	}
	rule := w.OldEvents(keep)
	if rule.Table != "client_events" {
		t.Errorf("got table %s", rule.Table)
	}
	clock.at = began.Add(keep) // the first events are exactly as old as they may be
	if batch := find(t, rule, 10); batch.Delete != nil || batch.More || batch.Lag != 0 {
		t.Errorf("nothing is too old: got %+v", batch)
	}
	if left := w.left(t, rotated); left != wholeHistory {
		t.Errorf("got %s", left)
	}
	clock.move(time.Hour)
	young := w.history(t, clock)
	if batch := find(t, rule, 10); batch.Lag != time.Hour+3*time.Second {
		t.Errorf("got a lag of %v", batch.Lag)
	}
	w.purge(t, rule, 100)
	for name, tt := range map[string]struct {
		id   uuid.UUID
		want string
	}{
		"a client that was rotated":      {rotated, keptHistory},
		"a client with its first secret": {fresh, "created 1"},
		"a public client":                {open, ""},
		"a client that was deleted":      {gone, ""},
		"events that are young":          {young, wholeHistory},
	} {
		if got := w.left(t, tt.id); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// What is kept does not end the walk: a page of it is no batch, and there may be more.
func TestOldEvents_PageThatIsKept(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	for range 4 {
		w.create(t, input())
	}
	id := w.history(t, clock)
	clock.move(keep + time.Hour)
	rule := w.OldEvents(keep)
	for page := range 2 {
		if batch := find(t, rule, 2); batch.Delete != nil || !batch.More || batch.Lag != 0 {
			t.Errorf("page %d: got %+v", page, batch)
		}
	}
	if batch := find(t, rule, 2); w.delete(t, batch) != 2 || !batch.More {
		t.Errorf("got more %v", batch.More)
	}
	if batch := find(t, rule, 3); w.delete(t, batch) != 2 || !batch.More {
		t.Errorf("got more %v", batch.More)
	}
	if batch := find(t, rule, 3); batch.Delete != nil || batch.More {
		t.Errorf("at the end: got %+v", batch)
	}
	if left := w.left(t, id); left != keptHistory {
		t.Errorf("got %s", left)
	}
}

// What was deleted, and what was kept before it, is not looked at again.
func TestOldEvents_InBatches(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	ids := []uuid.UUID{w.history(t, clock), w.history(t, clock), w.history(t, clock)} // 18 events
	clock.move(keep + time.Second)
	w.history(t, clock)
	rule := w.OldEvents(keep)
	if got, want := w.purge(t, rule, 3), []int{3, 1, 3, 1, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("deleted %v, want %v", got, want)
	}
	for _, id := range ids {
		if left := w.left(t, id); left != keptHistory {
			t.Errorf("got %s", left)
		}
	}
	clock.move(time.Hour)
	w.rotateOnce(t, ids[0])
	if got := w.purge(t, rule, 4); len(got) > 0 {
		t.Errorf("looked at what it has kept before: deleted %v", got)
	}
	clock.move(24 * time.Hour)
	if got := w.purge(t, rule, 4); !slices.Equal(got, []int{1}) || w.left(t, ids[0]) != "secret_rotated 4, secret_rotated 5" {
		t.Errorf("a day later: deleted %v, left %s", got, w.left(t, ids[0]))
	}
}

// A batch that was not deleted is found again.
func TestOldEvents_AnotherServerIsAtWork(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.history(t, clock)
	clock.move(keep + time.Second)
	rule := w.OldEvents(keep)
	find(t, rule, 10)
	if got := w.purge(t, rule, 10); !slices.Equal(got, []int{4}) || w.left(t, id) != keptHistory {
		t.Errorf("deleted %v, left %s", got, w.left(t, id))
	}
}

// A clock that is wrong for a moment must not keep events for ever, or lose them.
func TestOldEvents_TimesOutOfOrder(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	first := w.history(t, clock)
	clock.move(365 * 24 * time.Hour)
	ahead := w.history(t, clock)
	clock.move(-365 * 24 * time.Hour)
	second := w.history(t, clock)
	clock.move(keep + time.Second)
	w.purge(t, w.OldEvents(keep), 100)
	for id, want := range map[uuid.UUID]string{first: keptHistory, ahead: wholeHistory, second: keptHistory} {
		if got := w.left(t, id); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Accepting a restored database moves the versions of all secrets.
func TestOldEvents_AfterTheVersionsJumped(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.history(t, clock)
	clock.move(time.Hour)
	w.rotateOnce(t, id)
	if err := w.storage.DB.Write.OAuthClient.UpdateOneID(id).AddSecretVersion(1_000_000).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.move(keep + time.Second)
	w.purge(t, w.OldEvents(keep), 100)
	if left := w.left(t, id); left != "secret_rotated 5" {
		t.Errorf("got %s, want the event that issued the current secret", left)
	}
}

// Every kind of event is either one that issues a secret, or goes.
func TestOldEvents_OfEveryKind(t *testing.T) {
	clock := newStopwatch()
	w := newWorld(t, clock.now)
	id := w.create(t, input()).ID
	minted := oauthclient.MintedToken{At: clock.now(), Organisation: "acme"} // about no client
	if err := oauthclient.RecordToken(t.Context(), w.storage.DB.Transact, minted); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []clientevent.Kind{
		clientevent.KindUpdated, clientevent.KindDeleted, clientevent.KindLogoUploaded, clientevent.KindSecretRotated,
		clientevent.KindSecretRead, clientevent.KindPreviousSecretRevoked, clientevent.KindVerificationFailures,
		clientevent.KindEndedSecretPresented, clientevent.KindTokenMinted,
	} {
		w.storage.DB.Write.ClientEvent.Create().
			SetClientID(id).SetOrganisation("acme").SetKind(kind).SetAt(clock.now()).SetSecretVersion(1).SetSecretReleased(true).
			SetActorIssuer("").SetActorSubject("").SetActorClientID("").SetActorOrganisation("").SetRequestID("").SetAddress("").SetAPI("").
			ExecX(t.Context())
	}
	clock.move(keep + time.Second)
	w.purge(t, w.OldEvents(keep), 100)
	if left := w.left(t, id); left != "created 1, secret_rotated 1" {
		t.Errorf("got %s", left)
	}
	if n := w.storage.DB.Read.ClientEvent.Query().CountX(t.Context()); n != 2 {
		t.Errorf("%d events are left, want 2", n)
	}
}
