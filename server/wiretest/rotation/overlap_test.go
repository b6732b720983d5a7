package rotation_test

import (
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// hands are those of a clock that a test moves.
type hands struct{ ahead atomic.Int64 }

func (c *hands) now() time.Time            { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *hands) move(d time.Duration)      { c.ahead.Add(int64(d)) }
func (c *hands) set(config *server.Config) { config.Clock = c.now }

func TestOverlap_EndsOnTimeAcrossARestart(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	var clock hands
	dir := t.TempDir()
	s := servertest.Start(t, clock.set, servertest.InDir(dir))
	before := s.Create(t, servertest.Request())
	after := s.RotateWithOverlap(t, before.GetClientId(), time.Hour)
	ends := after.GetPreviousSecretExpiresAt().AsTime()
	if got := ends.Sub(after.GetSecretCreatedAt().AsTime()); got != time.Hour {
		t.Errorf("the overlap is %v, want 1h", got)
	}
	clock.move(ends.Sub(clock.now()) - 10*time.Second)
	s.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchPrevious, 1)
	s.WantMatch(t, before.GetClientId(), after.GetClientSecret(), servertest.MatchCurrent, 2)
	s.Stop(t)
	again := servertest.Start(t, clock.set, servertest.InDir(dir))
	again.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchPrevious, 1)
	clock.move(11 * time.Second)
	again.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchNone, 0)
	again.WantMatch(t, before.GetClientId(), after.GetClientSecret(), servertest.MatchCurrent, 2)
}

func TestOverlap_IsBounded(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.MaxSecretOverlap = time.Hour })
	forbidden := servertest.Start(t, func(c *server.Config) { c.MaxSecretOverlap = -1 })
	client, other := s.Create(t, servertest.Request()), forbidden.Create(t, servertest.Request())
	for name, tt := range map[string]struct {
		server   *servertest.Server
		clientID string
		overlap  *durationpb.Duration
		ok       bool
	}{
		"as long as allowed":            {s, client.GetClientId(), durationpb.New(time.Hour), true},
		"a nanosecond longer":           {s, client.GetClientId(), durationpb.New(time.Hour + 1), false},
		"negative":                      {s, client.GetClientId(), durationpb.New(-time.Second), false},
		"the longest there is":          {s, client.GetClientId(), &durationpb.Duration{Seconds: 315_576_000_000}, false},
		"any, where none is allowed":    {forbidden, other.GetClientId(), durationpb.New(time.Second), false},
		"zero, where none is allowed":   {forbidden, other.GetClientId(), durationpb.New(0), true},
		"absent, where none is allowed": {forbidden, other.GetClientId(), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := tt.server.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: tt.clientID})
			if err != nil {
				t.Fatal(err)
			}
			after, err := tt.server.ClientsService(t).RegenerateSecret(t.Context(),
				&apiv1.RegenerateSecretRequest{ClientId: tt.clientID, PreviousSecretValidFor: tt.overlap})
			if tt.ok {
				if err != nil || after.GetSecretVersion() != before.GetClient().GetSecretVersion()+1 {
					t.Errorf("got %v, error %v", after, err)
				}
				return
			}
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("got error %v, want invalid_argument", err)
			}
			read, err := tt.server.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: tt.clientID})
			if err != nil || read.GetClient().GetSecretVersion() != before.GetClient().GetSecretVersion() {
				t.Errorf("a refused rotation left version %d, error %v", read.GetClient().GetSecretVersion(), err)
			}
		})
	}
}

func TestOverlap_LastUseToTheMinute(t *testing.T) {
	var clock hands
	s := servertest.Start(t, clock.set)
	before := s.Create(t, servertest.Request())
	s.RotateWithOverlap(t, before.GetClientId(), time.Hour)
	lastUsed := func() time.Time {
		read, err := s.ClientsService(t).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: before.GetClientId()})
		if err != nil {
			t.Fatal(err)
		}
		return read.GetClient().GetPreviousSecretLastUsedAt().AsTime()
	}
	lastUsedAfter := func(earlier time.Time) time.Time { // a use is recorded in the background
		for deadline := time.Now().Add(10 * time.Second); lastUsed().Equal(earlier); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("last used at %v: the next use is never recorded", earlier)
			}
		}
		return lastUsed()
	}
	never := time.Unix(0, 0)
	if !lastUsed().Equal(never) {
		t.Errorf("before any use: last used at %v", lastUsed())
	}
	s.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchPrevious, 1)
	first := lastUsedAfter(never)
	if age := clock.now().Sub(first); age < 0 || age > time.Minute+10*time.Second || !first.Equal(first.Truncate(time.Minute)) {
		t.Errorf("last used at %v, which is %v ago", first, age)
	}
	clock.move(2 * time.Minute)
	s.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchPrevious, 1)
	if got := lastUsedAfter(first).Sub(first); got != 2*time.Minute {
		t.Errorf("two minutes later: %v after the first use", got)
	}
}

func TestRevokePreviousSecret_EndsOverlap(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			before := s.Create(t, servertest.Request())
			after := s.RotateWithOverlap(t, before.GetClientId(), time.Hour)
			request := &clientsdv1.RevokePreviousSecretRequest{ClientId: before.GetClientId()}
			for _, revoked := range []bool{true, false} { // the second time there is nothing left
				answer, err := s.Secrets(protocol, token).RevokePreviousSecret(t.Context(), request)
				if err != nil || answer.GetRevoked() != revoked || answer.GetSecretVersion() != 2 {
					t.Errorf("got %v, error %v, want revoked %v", answer, err, revoked)
				}
			}
			s.WantMatch(t, before.GetClientId(), before.GetClientSecret(), servertest.MatchNone, 0)
			s.WantMatch(t, before.GetClientId(), after.GetClientSecret(), servertest.MatchCurrent, 2)
			s.WantEvents(t, before.GetClientId(), "created 1 released", "secret_rotated 2 released", "previous_secret_revoked 2")
		})
	}
}

func TestRevokePreviousSecret_PublicClient(t *testing.T) {
	s := servertest.Start(t)
	secrets := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.All...))
	public := s.Create(t, servertest.PublicRequest())
	_, err := secrets.RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: public.GetClientId()})
	servertest.WantError(t, err, connect.CodeFailedPrecondition, "client is public: it has no secret")
	_, err = secrets.RevokePreviousSecret(t.Context(), &clientsdv1.RevokePreviousSecretRequest{ClientId: "550e8400-e29b-41d4-a716-446655440000"})
	servertest.WantError(t, err, connect.CodeNotFound, "client not found")
}

func TestRegenerateSecret_ExpectedVersion(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			client := s.Create(t, servertest.Request())
			rotate := func(version int64) (*apiv1.Client, error) {
				return s.Clients(protocol, token).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{
					ClientId: client.GetClientId(), IncludeSecret: true, ExpectedSecretVersion: proto.Int64(version),
				})
			}
			for _, wrong := range []int64{2, 1 << 62} {
				_, err := rotate(wrong)
				servertest.WantError(t, err, connect.CodeAborted, "the client has another secret version than expected: nothing was changed")
				servertest.WantReason(t, err, "SECRET_VERSION_MISMATCH")
			}
			s.WantOnlySecret(t, client.GetClientId(), 1, client.GetClientSecret())
			after, err := rotate(1)
			if err != nil {
				t.Fatal(err)
			}
			s.WantOnlySecret(t, client.GetClientId(), 2, after.GetClientSecret(), client.GetClientSecret())
			_, err = rotate(0)
			servertest.WantViolations(t, err, "expected_secret_version")
		})
	}
}
