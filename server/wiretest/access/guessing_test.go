package access_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

const (
	wrongSecret = "wrong secret"

	failures       = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_VERIFICATION_FAILURES
	endedPresented = clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_ENDED_SECRET_PRESENTED
)

// listRefusals returns the events of a client that are about refused secrets, as its
// owner sees them.
func listRefusals(t *testing.T, s *servertest.Server, id string) (refusals []*clientsdv1.ClientEvent) {
	t.Helper()
	answer, err := s.Secrets(servertest.ConnectJSON, s.Token(t, servertest.ScopeRead)).ListClientEvents(t.Context(),
		&clientsdv1.ListClientEventsRequest{ClientId: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range answer.GetEvents() {
		if e.GetKind() == failures || e.GetKind() == endedPresented {
			refusals = append(refusals, e)
		}
	}
	return refusals
}

// Whatever is answered: a wrong secret, or that there were too many.
func TestWrongSecrets_OneLineAndOneEvent(t *testing.T) {
	const guesses = 500
	s := servertest.Start(t, func(c *server.Config) { c.FailureRate = 1 })
	made := s.Create(t, servertest.Request())
	id, token := made.GetClientId(), s.Token(t, servertest.ScopeVerify)
	for i := range guesses {
		_, _ = s.Secrets(servertest.ConnectJSON, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: id, Secret: fmt.Sprint("guess", i)})
	}
	s.WantRefusals(t, id, "verification_failures 1")

	listed := listRefusals(t, s, id)
	caller := listed[0].GetActor()
	want := []*clientsdv1.ClientEvent{{
		Kind: failures, ClientId: id, SecretVersion: 1, Address: here, Api: "clientsd",
		Actor:     &clientsdv1.ClientEventActor{Issuer: caller.GetIssuer(), Subject: "urn:xeonr:serviceaccount:test", Organisation: "default"},
		RequestId: listed[0].GetRequestId(), At: listed[0].GetAt(),
	}}
	if diff := cmp.Diff(want, listed, protocmp.Transform()); diff != "" || uuid.Validate(listed[0].GetRequestId()) != nil {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	who := caller.GetIssuer() + " " + caller.GetSubject()
	wantDenials(t, s,
		denialLine{Msg: "denied", Client: id, Call: servertest.VerifySecretPath, Reason: wrongSecret, Caller: who, Organisation: "default", Address: here},
		denialLine{Msg: "denied more often", Client: id, Call: servertest.VerifySecretPath, Reason: wrongSecret, More: guesses - 1},
	)
	s.WantRefusals(t, id, "verification_failures 1")
}

func TestWrongSecrets_FoldedByClient(t *testing.T) {
	s := servertest.Start(t)
	first, second := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request()).GetClientId()
	token, other := s.Token(t, servertest.ScopeVerify), s.Mint(t, issuer.Grant{Subject: "other", Scopes: servertest.All})
	foreign := s.Mint(t, issuer.Grant{Subject: "foreign", Scopes: servertest.All, Organisation: "acme"})
	for _, protocol := range servertest.Protocols() {
		for _, call := range []struct{ token, id string }{
			{token, first},
			{other, first},
			{token, second},
			{token, uuid.NewString()},
			{token, uuid.NewString()},
			{other, uuid.NewString()},
			{foreign, first},
		} {
			_, err := s.Secrets(protocol, call.token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: call.id, Secret: "guess"})
			if err != nil {
				t.Error(err)
			}
		}
	}
	s.WantRefusals(t, first, "verification_failures 1")
	s.WantRefusals(t, second, "verification_failures 1")
	name := s.Events(t, first)[0].ActorIssuer + " "
	const nobody = "secret of a client that does not exist"
	protocols := len(servertest.Protocols())
	var got []denialLine
	for _, line := range denials(t, s) {
		line.RequestID, line.Address = "", ""
		if line.Reason == nobody {
			line.Client = "" // any
		}
		got = append(got, line)
	}
	line := func(msg string, more int, l denialLine) denialLine {
		l.Msg, l.More, l.Call = msg, more, servertest.VerifySecretPath
		return l
	}
	const subject = "urn:xeonr:serviceaccount:test"
	want := []denialLine{
		line("denied", 0, denialLine{Client: first, Reason: wrongSecret, Caller: name + subject, Organisation: "default"}),
		line("denied more often", 2*protocols-1, denialLine{Client: first, Reason: wrongSecret}),
		line("denied", 0, denialLine{Client: second, Reason: wrongSecret, Caller: name + subject, Organisation: "default"}),
		line("denied more often", protocols-1, denialLine{Client: second, Reason: wrongSecret}),
		line("denied", 0, denialLine{Reason: nobody, Caller: name + subject, Organisation: "default"}),
		line("denied more often", 2*protocols-1, denialLine{Reason: nobody, Caller: name + subject}),
		line("denied", 0, denialLine{Reason: nobody, Caller: name + "other", Organisation: "default"}),
		line("denied more often", protocols-1, denialLine{Reason: nobody, Caller: name + "other"}),
		line("denied", 0, denialLine{Reason: nobody, Caller: name + "foreign", Organisation: "acme"}),
		line("denied more often", protocols-1, denialLine{Reason: nobody, Caller: name + "foreign"}),
	}
	less := func(a, b denialLine) bool { return fmt.Sprint(a) < fmt.Sprint(b) }
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("denials in the log (-want +got):\n%s", diff)
	}
	s.WantRefusals(t, first, "verification_failures 1")
	s.WantRefusals(t, second, "verification_failures 1")
}

// The answer is that of any wrong secret; the owner and the operator see more.
func TestEndedSecret_LooksLikeAnyOtherToItsHolder(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	id, token := made.GetClientId(), s.Token(t, servertest.ScopeVerify)
	s.Rotate(t, id)
	post := func(secret string) servertest.Reply {
		response, body := s.PostJSON(t, servertest.VerifySecretPath, token, fmt.Sprintf(`{"clientId":%q,"secret":%q}`, id, secret))
		response.Header.Del("Date")
		response.Header.Del("X-Request-Id")
		return servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	}
	if diff := cmp.Diff(post("guess"), post(made.GetClientSecret())); diff != "" {
		t.Errorf("(-wrong secret +secret that has ended):\n%s", diff)
	}
	s.WantRefusals(t, id, "verification_failures 2", "ended_secret_presented 1")
	for _, protocol := range servertest.Protocols() {
		answer, err := s.Secrets(protocol, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: id, Secret: made.GetClientSecret()})
		want := &clientsdv1.VerifySecretResponse{Matched: clientsdv1.SecretMatch_SECRET_MATCH_NONE}
		if diff := cmp.Diff(want, answer, protocmp.Transform()); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", protocol.Name, err, diff)
		}
	}
	presented := listRefusals(t, s, id)[0]
	if presented.GetKind() != endedPresented || presented.GetSecretVersion() != 1 ||
		presented.GetAddress() != here || presented.GetActor().GetSubject() != "urn:xeonr:serviceaccount:test" {
		t.Errorf("got event %v", presented)
	}
	name := presented.GetActor().GetIssuer() + " " + presented.GetActor().GetSubject()
	const ended = "secret that has ended"
	wantDenials(t, s,
		denialLine{Msg: "denied", Client: id, Call: servertest.VerifySecretPath, Reason: wrongSecret, Caller: name, Organisation: "default", Address: here},
		denialLine{
			Msg: "denied", Client: id, Call: servertest.VerifySecretPath, Reason: ended, Caller: name, Organisation: "default", Address: here,
			SecretVersion: 1,
		},
		denialLine{Msg: "denied more often", Client: id, Call: servertest.VerifySecretPath, Reason: ended, More: len(servertest.Protocols())},
	)
	s.WantRefusals(t, id, "verification_failures 2", "ended_secret_presented 1")
}
