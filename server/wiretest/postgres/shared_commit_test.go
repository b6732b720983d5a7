package postgres_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/database"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/servertest/pgproxy"
	"clientsd/server/servertest/storagetest"
)

// commits is how many transactions have rotated a secret.
func commits(t *testing.T, db *database.DB) (count int) {
	t.Helper()
	rows, err := db.Read.QueryContext(t.Context(), "SELECT count(DISTINCT xmin::text) FROM client_events WHERE kind = 'secret_rotated'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || rows.Scan(&count) != nil {
		t.Fatalf("no count: %v", rows.Err())
	}
	return count
}

// createMany makes clients and returns their ids.
func createMany(t *testing.T, s *servertest.Server, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.Create(t, servertest.Request()).GetClientId()
	}
	return ids
}

// hold keeps the locks that a statement takes until they are let go.
func hold(t *testing.T, s *servertest.Server, statement string, args ...any) (letGo func()) {
	t.Helper()
	tx, err := s.Database(t).Write.Tx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// The line is cut at one commit after the other while rotations of many clients
// share them.
func TestSharedCommit_LostConnection(t *testing.T) {
	const clients, each, fewest = 32, 6, 3
	for name, moment := range map[string]pgproxy.Moment{
		"before the commit arrives":     pgproxy.BeforeCommit(),
		"before the commit is answered": pgproxy.AfterCommit(),
		"before it is sent":             pgproxy.After("BEGIN"), // which is sent along with the statement
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCutOff(t)
			var over atomic.Bool
			cuts := make(chan int, 1)
			go func() { cuts <- cutAgainAndAgain(c.line, moment, &over) }()
			list := make([]*rotating, clients)
			for i := range list {
				list[i] = c.newRotating(t)
			}
			servertest.Concurrently(clients, func(i int) { list[i].rotateOften(t, servertest.Protocols()[i%4], each) })
			over.Store(true)
			if n := <-cuts; n < fewest {
				t.Errorf("the line was cut %d times", n)
			}
			for _, r := range list {
				r.beside.WantHistory(t, r.id, 1+each)
			}
			if n := commits(t, c.stored); n >= clients*each {
				t.Errorf("%d rotations took %d commits", clients*each, n)
			}
		})
	}
}

// cutAgainAndAgain cuts the line every few milliseconds when something comes to a
// moment, and returns how often.
func cutAgainAndAgain(line *pgproxy.Proxy, moment pgproxy.Moment, over *atomic.Bool) (cuts int) {
	for !over.Load() {
		cut := line.CutOnce(moment)
		time.Sleep(20 * time.Millisecond)
		if cut.Happened() {
			cuts++
		}
	}
	return cuts
}

// rotateOften rotates, again if it is told that nothing was changed, and holds
// each answer to what it says.
func (r *rotating) rotateOften(t *testing.T, protocol servertest.Protocol, times int) {
	t.Helper()
	for done := 0; done < times && !t.Failed(); {
		answer, err := r.rotate(t.Context(), protocol, "")
		switch code := connect.CodeOf(err); {
		case err == nil:
			r.acknowledge(t, answer)
			done++
		case code != connect.CodeAborted && code != connect.CodeUnavailable:
			t.Error(err)
		}
	}
}

// What one caller does wrong is told to that caller, and the others rotate.
func TestSharedCommit_OneRotationFails(t *testing.T) {
	const rounds = 10
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	public := s.Create(t, servertest.PublicRequest()).GetClientId()
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request()).GetClientId()
	other := s.Create(t, servertest.Request()).GetClientId()
	wrong := []struct {
		request *apiv1.RegenerateSecretRequest
		code    connect.Code
		message string
	}{
		{servertest.RotateRequest(public), connect.CodeFailedPrecondition, "client is public: it has no secret"},
		{servertest.RotateRequest(foreign), connect.CodeNotFound, "client not found"},
		{servertest.RotateRequest(uuid.NewString()), connect.CodeNotFound, "client not found"},
		{
			&apiv1.RegenerateSecretRequest{ClientId: other, ExpectedSecretVersion: proto.Int64(7)}, connect.CodeAborted,
			"the client has another secret version than expected: nothing was changed",
		},
	}
	right := createMany(t, s, 12)
	servertest.Concurrently(len(right)+len(wrong), func(i int) {
		clients := s.Clients(servertest.Protocols()[i%4], token)
		for range rounds {
			if i < len(right) {
				if _, err := clients.RegenerateSecret(t.Context(), servertest.RotateRequest(right[i])); err != nil {
					t.Error(err)
				}
				continue
			}
			w := wrong[i-len(right)]
			_, err := clients.RegenerateSecret(t.Context(), w.request)
			servertest.WantError(t, err, w.code, w.message)
		}
	})
	for _, id := range right {
		s.WantHistory(t, id, 1+rounds)
	}
	s.WantHistory(t, foreign, 1)
	s.WantHistory(t, other, 1)
}

// What else a rotation may ask for holds for those that are made together, too.
func TestSharedCommit_EachKeepsItsRequest(t *testing.T) {
	const clients = 24
	s := servertest.Start(t)
	made := make([]*apiv1.Client, clients)
	for i := range made {
		made[i] = s.Create(t, servertest.Request())
	}
	servertest.Concurrently(clients, func(i int) {
		id, old := made[i].GetClientId(), made[i].GetClientSecret()
		if i%2 == 0 {
			answer := s.RotateWithOverlap(t, id, time.Hour)
			s.WantMatch(t, id, old, servertest.MatchPrevious, 1)
			s.WantMatch(t, id, answer.GetClientSecret(), servertest.MatchCurrent, 2)
			return
		}
		answer, err := s.ClientsService(t).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{
			ClientId: id, ExpectedSecretVersion: proto.Int64(1), Reason: proto.String("reason " + id),
		})
		if err != nil || answer.ClientSecret != nil || answer.GetSecretVersion() != 2 {
			t.Errorf("got %v, error %v", answer, err)
		}
		s.WantMatch(t, id, old, servertest.MatchNone, 0)
	})
	if storagetest.IsPostgres() && commits(t, s.Database(t)) >= clients {
		t.Error("no commit was shared")
	}
	for i, client := range made {
		want := []string{"created 1 released", "secret_rotated 2 released"}
		if i%2 == 1 {
			want[1] = "secret_rotated 2"
			if s.Row(t, client.GetClientId()).PreviousSecretDigest != nil {
				t.Error("the digest of a secret that is over is still stored")
			}
			if events := s.Events(t, client.GetClientId()); events[1].Reason != "reason "+client.GetClientId() {
				t.Errorf("the event tells of another call: %v", events[1])
			}
		}
		s.WantEvents(t, client.GetClientId(), want...)
	}
}

// Clients that somebody else holds make nobody wait but those who want them.
func TestSharedCommit_LockedClientDelaysNoOther(t *testing.T) {
	if !storagetest.IsPostgres() {
		t.Skip("SQLite locks no rows: " + storagetest.Variable + " names a PostgreSQL")
	}
	const held = 5
	s := servertest.Start(t)
	ids := createMany(t, s, held)
	free := s.Create(t, servertest.Request()).GetClientId()
	letGo := hold(t, s, "SELECT 1 FROM oauth_clients WHERE id <> $1 FOR UPDATE", free)
	answered := make(chan error, held)
	for _, id := range ids {
		go func() {
			_, err := s.ClientsService(t).RegenerateSecret(t.Context(), servertest.RotateRequest(id))
			answered <- err
		}()
	}
	for range 20 {
		s.Rotate(t, free)
	}
	if n := len(answered); n > 0 {
		t.Errorf("%d locked clients were answered: %v", n, <-answered)
	}
	letGo()
	for range ids {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	for _, id := range ids {
		s.WantHistory(t, id, 2)
	}
}

// Nobody waits for longer than their deadline for a transaction of others.
func TestSharedCommit_EndsWithItsDeadline(t *testing.T) {
	if !storagetest.IsPostgres() {
		t.Skip("SQLite locks no tables: " + storagetest.Variable + " names a PostgreSQL")
	}
	const callers = 6
	s := servertest.Start(t)
	ids := createMany(t, s, callers)
	letGo := hold(t, s, "LOCK TABLE client_events IN EXCLUSIVE MODE")
	servertest.Concurrently(callers, func(i int) {
		// A deadline that only the server knows of: what it answers is what it has done.
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("Connect-Timeout-Ms", strconv.Itoa(1500+i))
		_, err := s.ClientsService(t).RegenerateSecret(ctx, servertest.RotateRequest(ids[i]))
		servertest.WantError(t, err, connect.CodeDeadlineExceeded, "the deadline of the call has passed")
	})
	letGo()
	for _, id := range ids {
		s.Rotate(t, id)
		s.WantHistory(t, id, 2)
	}
}
