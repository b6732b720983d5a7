package postgres_test

import (
	"net/url"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"clientsd/server/database"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

const conflict = "other calls changed the same data at the same time: nothing was changed, repeat the call"

// serializable is a database whose transactions all are.
func serializable(t *testing.T, config database.Postgres) database.Postgres {
	t.Helper()
	parsed, err := url.Parse(string(config.URL))
	if err != nil {
		t.Fatal(err)
	}
	query := parsed.Query()
	query.Set("default_transaction_isolation", "serializable")
	parsed.RawQuery = query.Encode()
	config.URL = database.URL(parsed.String())
	return config
}

// A tug is a client whose secret many rotate concurrently.
type tug struct {
	id string

	mu      sync.Mutex
	secrets []string // of all that was acknowledged, the registration first
}

// rotate rotates once, or is told that nothing was changed.
func (g *tug) rotate(t *testing.T, s *servertest.Server, protocol servertest.Protocol, token string) {
	t.Helper()
	answer, err := s.Clients(protocol, token).RegenerateSecret(t.Context(), servertest.RotateRequest(g.id))
	switch {
	case err == nil:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.secrets = append(g.secrets, answer.GetClientSecret())
	case connect.CodeOf(err) == connect.CodeAborted:
		servertest.WantReason(t, err, "CONFLICT")
	default:
		t.Error(err)
	}
}

// wantOneSecret fails the test unless each rotation that was acknowledged has
// made one version, no other has, and the last secret alone is one.
func (g *tug) wantOneSecret(t *testing.T, s *servertest.Server) {
	t.Helper()
	versions := int64(len(g.secrets))
	var valid []int64
	for _, text := range g.secrets {
		if answer := s.Verify(t, g.id, text); answer.GetValid() {
			valid = append(valid, answer.GetSecretVersion())
		}
	}
	if !slices.Equal(valid, []int64{versions}) {
		t.Errorf("of %d secrets those of versions %v are valid, want one, of version %d", versions, valid, versions)
	}
	s.WantHistory(t, g.id, versions)
}

func TestConflict_SerializableRotations(t *testing.T) {
	t.Parallel()
	const callers, clients, each = 64, 4, 2
	s := servertest.Start(t, onPostgres(t.TempDir(), serializable(t, storagetest.Postgres(t))))
	if got := isolation(t, s); got != "serializable" {
		t.Fatalf("transactions are %s", got)
	}
	token, tugs := s.Token(t, servertest.All...), make([]*tug, clients)
	for i := range tugs {
		made := s.Create(t, servertest.Request())
		tugs[i] = &tug{id: made.GetClientId(), secrets: []string{made.GetClientSecret()}}
	}
	servertest.Concurrently(callers, func(i int) {
		protocols := servertest.Protocols()
		for range each {
			tugs[0].rotate(t, s, protocols[i%len(protocols)], token)
		}
		tugs[i%clients].rotate(t, s, servertest.ConnectJSON, token)
	})
	for _, g := range tugs {
		g.wantOneSecret(t, s)
	}
}

// isolation is that of the server's transactions.
func isolation(t *testing.T, s *servertest.Server) (level string) {
	t.Helper()
	rows, err := s.Database(t).Read.QueryContext(t.Context(), "SELECT current_setting('transaction_isolation')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || rows.Scan(&level) != nil {
		t.Fatal(rows.Err())
	}
	return level
}

// A call that others stand in the way of each time changes nothing.
func TestConflict_InWordsOfTheAPI(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, onPostgres(t.TempDir(), storagetest.Postgres(t)))
	made, token := s.Create(t, servertest.Request()), s.Token(t, servertest.AllAPIs...)
	before := s.Row(t, made.GetClientId())
	s.Exec(t, `CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'on purpose' USING ERRCODE = 'serialization_failure'; END $$`)
	s.Exec(t, "CREATE TRIGGER conflict BEFORE UPDATE ON oauth_clients FOR EACH ROW EXECUTE FUNCTION conflict()")
	apis := everyAPI()
	servertest.Concurrently(len(apis), func(i int) {
		_, got := apis[i].Rotate(t, s, servertest.Attempt{Token: token, ClientID: made.GetClientId()})
		if diff := cmp.Diff(saysReason(apis[i], connect.CodeAborted, "CONFLICT", conflict), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", apis[i].Name, diff)
		}
	})
	servertest.WantSameRow(t, before, s.Row(t, made.GetClientId()))
	s.Exec(t, "DROP TRIGGER conflict ON oauth_clients")
	for _, w := range apis {
		w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: made.GetClientId()})
	}
	s.WantHistory(t, made.GetClientId(), int64(1+len(apis)))
}
