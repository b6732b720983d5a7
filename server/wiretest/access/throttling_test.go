package access_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

const (
	// burst is how many failures are answered as such at a rate of one a second.
	burst = 10

	tooManySecrets = "too many wrong secrets: wait before the next"
	tooManyTokens  = "too many bad access tokens came from this address: wait before the next"

	here, elsewhere = "127.0.0.1", "127.0.0.2"
)

// oneASecond is a server that answers one failure a second, with the hands of
// its clock.
func oneASecond(t *testing.T) (*servertest.Server, *servertest.StoppedClock) {
	t.Helper()
	clock, option := servertest.StopClock()
	return servertest.Start(t, option, func(c *server.Config) { c.FailureRate = 1 }), clock
}

// throttled fails the test unless err says so, and to come back in a second.
func throttled(t *testing.T, err error, message string) {
	t.Helper()
	servertest.WantError(t, err, connect.CodeResourceExhausted, message)
	var refusal *connect.Error
	if errors.As(err, &refusal) && (refusal.Meta().Get("Retry-After") != "1" || refusal.Meta().Get("Www-Authenticate") != "") {
		t.Errorf("got metadata %v, want Retry-After 1 and no challenge", refusal.Meta())
	}
}

// A prober asks for secrets from one address.
type prober struct {
	*servertest.Server

	token string
	http  *http.Client
}

func newProber(t *testing.T, s *servertest.Server, address string) prober {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return prober{s, s.Token(t, servertest.All...), &http.Client{Transport: transport}}
}

// verify says whether a secret is one of the client, or that there were too many.
func (p prober) verify(t *testing.T, clientID, secret string) string {
	t.Helper()
	request := p.NewRequest(t, servertest.VerifySecretPath, p.token, strings.NewReader(fmt.Sprintf(`{"clientId":%q,"secret":%q}`, clientID, secret)))
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return fmt.Sprint(response.StatusCode, response.Header.Get("Retry-After"))
}

// Of a wrong secret, both addresses and clients have their number; nobody who
// has the right one waits.
func TestThrottling_WrongSecretsByClientAndAddress(t *testing.T) {
	s, clock := oneASecond(t)
	attacked, other := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	attacker, owner := newProber(t, s, elsewhere), newProber(t, s, here)
	const answered, bounded = "200", "4291"
	steps := []struct {
		name   string
		who    prober
		client *apiv1.Client
		secret string
		want   string
		times  int
	}{
		{"as many as a burst may have", attacker, attacked, other.GetClientSecret(), answered, burst},
		{"one more", attacker, attacked, other.GetClientSecret(), bounded, 3},
		{"another client from the same address", attacker, other, "guess", bounded, 1},
		{"the right secret from the same address", attacker, attacked, attacked.GetClientSecret(), answered, 2 * burst},
		{"the right secret of another client from there", attacker, other, other.GetClientSecret(), answered, 2 * burst},
		{"a wrong secret of the client from another address", owner, attacked, other.GetClientSecret(), bounded, 1},
		{"the right one from another address", owner, attacked, attacked.GetClientSecret(), answered, 2 * burst},
		{"another client from another address", owner, other, attacked.GetClientSecret(), answered, 1},
	}
	for _, step := range steps {
		for range step.times {
			if got := step.who.verify(t, step.client.GetClientId(), step.secret); got != step.want {
				t.Errorf("%s: got %s, want %s", step.name, got, step.want)
			}
		}
	}
	clock.Set(clock.Now().Add(time.Second))
	for _, want := range []string{answered, bounded} {
		if got := attacker.verify(t, attacked.GetClientId(), "guess"); got != want {
			t.Errorf("a second later: got %s, want %s", got, want)
		}
	}
}

func TestThrottling_WrongSecretsInEveryProtocol(t *testing.T) {
	s, _ := oneASecond(t)
	made, token := s.Create(t, servertest.Request()), s.Token(t, servertest.All...)
	for range burst {
		if s.Verify(t, made.GetClientId(), "guess").GetValid() {
			t.Error("a guess is valid")
		}
	}
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		secrets := s.Secrets(protocol, token)
		_, err := secrets.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: "guess"})
		throttled(t, err, tooManySecrets)
		answer, err := secrets.VerifySecret(t.Context(),
			&clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: made.GetClientSecret()})
		if err != nil || !answer.GetValid() {
			t.Errorf("the right secret: got %v, error %v", answer, err)
		}
	})
}

func TestThrottling_BadTokensOverEveryAPI(t *testing.T) {
	s, clock := oneASecond(t)
	made := s.Create(t, servertest.Request())
	good := s.Token(t, servertest.AllAPIs...)
	for range burst {
		_, err := s.Clients(servertest.ConnectJSON, "bad").ListClients(t.Context(), &apiv1.ListClientsRequest{})
		servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.MalformedToken)
	}
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		_, err := s.Clients(protocol, "bad").ListClients(t.Context(), &apiv1.ListClientsRequest{})
		throttled(t, err, tooManyTokens)
		if _, err := s.Clients(protocol, good).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
			t.Errorf("a good token from the same address: %v", err)
		}
		_, err = s.Clients(protocol, "").ListClients(t.Context(), &apiv1.ListClientsRequest{})
		servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.NoToken)
	})
	for path, body := range map[string]string{
		servertest.ClientsPath + "ListClients":                             `{"code": "resource_exhausted", "message": "` + tooManyTokens + `"}`,
		servertest.ZitadelPath(servertest.Application, made.GetClientId()): `{"code": 8, "message": "` + tooManyTokens + `", "details": []}`,
		servertest.VigiloPath(made.GetClientId()):                          `{"error": "temporarily_unavailable", "error_description": "` + tooManyTokens + `"}`,
	} {
		got := s.CallREST(t, http.MethodPost, path, "bad", "{}")
		servertest.WantJSON(t, got, http.StatusTooManyRequests, body)
		if after, challenge := got.Header.Get("Retry-After"), got.Header.Get("Www-Authenticate"); after != "1" || challenge != "" {
			t.Errorf("%s: got Retry-After %q and challenge %q", path, after, challenge)
		}
		if got := s.CallREST(t, http.MethodPost, path, good, "{}"); got.Status != http.StatusOK {
			t.Errorf("%s with a good token: got %d: %s", path, got.Status, got.Body)
		}
	}
	clock.Set(clock.Now().Add(time.Second))
	_, err := s.Clients(servertest.ConnectJSON, "bad").ListClients(t.Context(), &apiv1.ListClientsRequest{})
	servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.MalformedToken)
}

func TestThrottling_MissingTokenIsNotCounted(t *testing.T) {
	s, _ := oneASecond(t)
	for range 3 * burst {
		_, err := s.Clients(servertest.ConnectJSON, "").ListClients(t.Context(), &apiv1.ListClientsRequest{})
		servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.NoToken)
	}
	_, err := s.Clients(servertest.ConnectJSON, "bad").ListClients(t.Context(), &apiv1.ListClientsRequest{})
	servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.MalformedToken)
}

// What is public asks for no token, and counts none.
func TestThrottling_BadTokenOnPublicProcedureIsNotCounted(t *testing.T) {
	s, _ := oneASecond(t)
	asked := &apiv1.GetPublicClientsRequest{ClientId: []string{uuid.NewString()}}
	for range 3 * burst {
		if _, err := s.Clients(servertest.ConnectJSON, "bad").GetPublicClients(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Clients(servertest.ConnectJSON, "bad").ListClients(t.Context(), &apiv1.ListClientsRequest{})
	servertest.WantError(t, err, connect.CodeUnauthenticated, servertest.MalformedToken)
}
