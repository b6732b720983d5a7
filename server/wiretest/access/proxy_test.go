package access_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/server"
	"clientsd/server/servertest"
)

// Behind a proxy, every place where an address counts has that of the caller.
func TestTrustedProxy_CallersAddressCounts(t *testing.T) {
	t.Parallel()
	_, clock := servertest.StopClock()
	s := servertest.Start(t, clock, func(c *server.Config) {
		c.FailureRate = 1
		c.TrustedProxies, c.TrustedProxyHeader = []string{here}, "X-Client-Address"
	})
	token, id := s.Token(t, servertest.AllAPIs...), s.Create(t, servertest.Request()).GetClientId()
	const first, second = "198.51.100.1", "198.51.100.2"
	status := func(address, path, token, body string) int {
		t.Helper()
		request := s.NewRequest(t, path, token, strings.NewReader(body))
		request.Header.Set("X-Client-Address", "203.0.113.9, "+address)
		request.Header.Set("X-Forwarded-For", "203.0.113.10")
		response, _ := servertest.Do(t, request)
		return response.StatusCode
	}

	if got := status(first, servertest.VigiloPath(id), token, ""); got != http.StatusOK {
		t.Fatalf("a rotation: got status %d", got)
	}
	if events := s.Events(t, id); events[len(events)-1].Address != first {
		t.Errorf("the event has the address %q", events[len(events)-1].Address)
	}
	var strangers []string // clients that do not exist
	for name, fail := range map[string]func(address string) int{
		"bad token": func(address string) int { return status(address, servertest.VigiloPath(id), "bad", "") },
		"wrong secret": func(address string) int {
			strangers = append(strangers, uuid.NewString())
			return status(address, servertest.VerifySecretPath, token, `{"clientId":"`+strangers[len(strangers)-1]+`","secret":"x"}`)
		},
	} {
		for i := range burst {
			if got := fail(first); got == http.StatusTooManyRequests {
				t.Errorf("%s %d: got status %d", name, i+1, got)
			}
		}
		if got := fail(first); got != http.StatusTooManyRequests {
			t.Errorf("one %s too many: got status %d", name, got)
		}
		if got := fail(second); got == http.StatusTooManyRequests {
			t.Errorf("a %s of another caller: got status %d", name, got)
		}
	}
	caller := s.Events(t, id)[0].ActorIssuer + " urn:xeonr:serviceaccount:test"
	const unknownClient = "secret of a client that does not exist"
	wantDenials(t, s,
		denialLine{
			Msg: "denied", Caller: caller, Client: strangers[0], Call: servertest.VerifySecretPath, Reason: unknownClient,
			Organisation: "default", Address: first,
		},
		denialLine{Msg: "denied more often", Caller: caller, Call: servertest.VerifySecretPath, Reason: unknownClient, More: burst + 1},
		denialLine{Msg: "denied", Caller: first, Call: "vigilo", Reason: servertest.MalformedToken},
		denialLine{Msg: "denied more often", Caller: first, Call: "vigilo", Reason: servertest.MalformedToken, More: burst},
		denialLine{Msg: "denied", Caller: second, Call: "vigilo", Reason: servertest.MalformedToken},
	)
}

// Whoever calls directly cannot choose an address by the header.
func TestTrustedProxy_HeaderOfOthersIsIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.TrustedProxies = []string{"192.0.2.0/24"} })
	id := s.Create(t, servertest.Request()).GetClientId()
	s.CallREST(t, http.MethodPost, servertest.VigiloPath(id), s.Token(t, servertest.AllAPIs...), "", "X-Forwarded-For", "198.51.100.1")
	events := s.Events(t, id)
	if got := events[len(events)-1].Address; len(events) < 2 || got != here {
		t.Errorf("got %d events, the last from %q", len(events), got)
	}
}
