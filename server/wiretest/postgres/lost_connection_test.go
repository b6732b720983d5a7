package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/pgproxy"
	"clientsd/server/servertest/storagetest"
)

// What a caller reads when a line to the database was lost.
const (
	databaseSilent = "the database does not answer: try again"
	repeatCall     = "the connection to the database was lost while the call was committed: repeat it with the same idempotency key"
	lookFirst      = "the connection to the database was lost while the call was committed: look whether it has changed anything before repeating it"
)

// cutOff is a server on a bad line to PostgreSQL.
type cutOff struct {
	*servertest.Server

	line   *pgproxy.Proxy
	beside *servertest.Server // another replica, on a good line
	stored *database.DB       // what both store
	token  string
}

func startCutOff(t *testing.T) *cutOff {
	t.Helper()
	good, dir := storagetest.Postgres(t), t.TempDir()
	c := &cutOff{beside: servertest.Start(t, onPostgres(dir, good)), line: pgproxy.Start(t, string(good.URL))}
	bad := good
	bad.URL, bad.MaxConnections = database.URL(c.line.URL), 20
	c.Server = servertest.Start(t, onPostgres(dir, bad))
	c.stored = c.beside.Database(t)
	c.token = c.beside.Token(t, servertest.AllAPIs...)
	return c
}

// onPostgres makes servers with the same folder and database replicas. They wait
// as long as a slow machine takes.
func onPostgres(dir string, config database.Postgres) func(*server.Config) {
	return func(c *server.Config) {
		c.Storage.Dir, c.Storage.Postgres, c.Timeout = dir, config, time.Minute
	}
}

// row is a client as it is stored.
func (c *cutOff) row(t *testing.T, clientID string) *ent.OAuthClient {
	t.Helper()
	row, err := c.stored.Read.OAuthClient.Get(t.Context(), uuid.MustParse(clientID))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// wantEvents compares the events of a client, over one connection for all.
func (c *cutOff) wantEvents(t *testing.T, clientID string, want ...string) {
	t.Helper()
	events, err := c.stored.Read.ClientEvent.Query().
		Where(clientevent.ClientID(uuid.MustParse(clientID))).Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, servertest.EventLine(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A lineCase is a moment at which the line is cut, and what must come of a
// mutation then.
type lineCase struct {
	moment        pgproxy.Moment
	inTransaction bool
	refused       bool // told to try again: nothing was changed
}

// lineCases are the two ways to lose a commit, and the loss of the answer to a
// statement that the mutation sends: always in a transaction, or it could be run
// twice.
func lineCases(statement string) map[string]lineCase {
	return map[string]lineCase{
		"before the commit arrives":     {pgproxy.BeforeCommit(), true, false},
		"before the commit is answered": {pgproxy.AfterCommit(), false, false},
		"after a statement":             {pgproxy.After(statement), true, true},
	}
}

// A rotating client is one whose secret is rotated over the bad line.
type rotating struct {
	*cutOff

	id, secret string
	version    int64
}

func (c *cutOff) newRotating(t *testing.T) *rotating {
	t.Helper()
	made := c.beside.Create(t, servertest.Request())
	return &rotating{c, made.GetClientId(), made.GetClientSecret(), 1}
}

// rotate rotates, under a key or without one.
func (r *rotating) rotate(ctx context.Context, protocol servertest.Protocol, key string) (*apiv1.Client, error) {
	if key != "" {
		ctx = servertest.WithIdempotencyKeys(ctx, key)
	}
	return r.Clients(protocol, r.token).RegenerateSecret(ctx, servertest.RotateRequest(r.id))
}

// acknowledge holds an answer to what it says: one rotation more, and its secret
// is the only one.
func (r *rotating) acknowledge(t *testing.T, answer *apiv1.Client) {
	t.Helper()
	old := r.secret
	r.version, r.secret = r.version+1, answer.GetClientSecret()
	if answer.GetSecretVersion() != r.version {
		t.Fatalf("the answer tells of version %d, want %d", answer.GetSecretVersion(), r.version)
	}
	r.beside.WantOnlySecret(t, r.id, r.version, r.secret, old)
	r.wantStored(t)
}

// wantStored fails the test unless the stored version and the events are those
// of the rotations that were acknowledged.
func (r *rotating) wantStored(t *testing.T) {
	t.Helper()
	events, err := r.stored.Read.ClientEvent.Query().Where(
		clientevent.ClientID(uuid.MustParse(r.id)), clientevent.KindIn(clientevent.KindCreated, clientevent.KindSecretRotated),
	).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if version := r.row(t, r.id).SecretVersion; version != r.version || events != int(r.version) {
		t.Fatalf("stored are version %d and %d events, want version %d", version, events, r.version)
	}
}

// withoutKey is the case for a rotation without a key: one statement, which BEGIN
// is sent along with. If it is lost the rotation is made again, alone.
func (c lineCase) withoutKey() lineCase {
	if c.refused {
		c.moment, c.refused = pgproxy.After("BEGIN"), false
	}
	return c
}

func TestLostConnection_DuringRotation(t *testing.T) {
	const cuts = 200
	for name, tt := range lineCases("UPDATE") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startCutOff(t).newRotating(t)
			for i := range cuts {
				protocols := servertest.Protocols()
				if protocol := protocols[i%len(protocols)]; i%2 == 0 {
					r.rotateCut(t, tt, protocol, fmt.Sprintf("rotation %d", i))
				} else {
					r.rotateCut(t, tt.withoutKey(), protocol, "")
				}
			}
			r.beside.WantHistory(t, r.id, r.version)
		})
	}
}

// rotateCut rotates once while the line is cut.
func (r *rotating) rotateCut(t *testing.T, tt lineCase, protocol servertest.Protocol, key string) {
	t.Helper()
	cut := r.line.CutOnce(tt.moment)
	answer, err := r.rotate(t.Context(), protocol, key)
	if !cut.Happened() || cut.InTransaction() != tt.inTransaction {
		t.Fatalf("the line was cut: %v; in a transaction: %v", cut.Happened(), cut.InTransaction())
	}
	if tt.refused {
		servertest.WantError(t, err, connect.CodeUnavailable, databaseSilent)
		r.wantStored(t)
		answer, err = r.rotate(t.Context(), protocol, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.acknowledge(t, answer)
}
