package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

const secretNotFound = "secret not found: no client of the organisation is on record with it"

func find(text string) *clientsdv1.FindSecretRequest {
	return &clientsdv1.FindSecretRequest{Secret: text}
}

func TestFindSecret_EveryState(t *testing.T) {
	const current, previous, ended = clientsdv1.SecretState_SECRET_STATE_CURRENT, clientsdv1.SecretState_SECRET_STATE_PREVIOUS, clientsdv1.SecretState_SECRET_STATE_ENDED
	s := servertest.Start(t)
	client := s.Create(t, servertest.Request())
	id := client.GetClientId()
	secrets := []string{client.GetClientSecret(), s.Rotate(t, id), s.Rotate(t, id)}
	secrets = append(secrets, s.RotateWithOverlap(t, id, time.Hour).GetClientSecret())
	deleted := s.Create(t, servertest.Request())
	if _, err := s.ClientsService(t).DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: deleted.GetClientId()}); err != nil {
		t.Fatal(err)
	}
	want := map[string]*clientsdv1.FindSecretResponse{
		secrets[0]:                {ClientId: id, SecretVersion: 1, State: ended},
		secrets[1]:                {ClientId: id, SecretVersion: 2, State: ended},
		secrets[2]:                {ClientId: id, SecretVersion: 3, State: previous},
		secrets[3]:                {ClientId: id, SecretVersion: 4, State: current},
		deleted.GetClientSecret(): {ClientId: deleted.GetClientId(), SecretVersion: 1, State: ended},
	}
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		caller := s.Secrets(protocol, s.Token(t, servertest.ScopeRead, servertest.ScopeVerify))
		for text, want := range want {
			got, err := caller.FindSecret(t.Context(), find(text))
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		}
		_, err := caller.FindSecret(t.Context(), find(secret.Generate("sk_live_").Reveal()))
		servertest.WantError(t, err, connect.CodeNotFound, secretNotFound)
	})
	if n := len(s.Refusals(t, id)); n > 0 {
		t.Errorf("a search has left %d events", n)
	}
}

// Over every API that issues secrets, and also if the answer does not carry it.
func TestFindSecret_WhateverIssuedIt(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	servertest.EachWay(t, func(t *testing.T, w servertest.Way) {
		id := s.Create(t, servertest.Request()).GetClientId()
		for version := int64(2); version < 5; version++ {
			text := w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: id})
			got, err := s.Secrets(servertest.ConnectJSON, token).FindSecret(t.Context(), find(text))
			if err != nil || got.GetClientId() != id || got.GetSecretVersion() != version {
				t.Errorf("got %v, error %v", got, err)
			}
		}
	})
}

// Nobody learns that a secret belongs to another organisation.
func TestFindSecret_HiddenSecretLooksLikeNone(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	foreign := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "other"})
	answer := func(text string) servertest.Reply {
		response, body := s.PostJSON(t, servertest.FindSecretPath, foreign, fmt.Sprintf(`{"secret":%q}`, text))
		response.Header.Del("Date")
		response.Header.Del("X-Request-Id")
		return servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	}
	never, hidden := answer(secret.Generate("sk_live_").Reveal()), answer(made.GetClientSecret())
	if diff := cmp.Diff(never, hidden); diff != "" || hidden.Status != http.StatusNotFound {
		t.Errorf("(-never issued +of another organisation):\n%s", diff)
	}
}

func TestFindSecret_MalformedSecretIsRefusedWithoutEcho(t *testing.T) {
	s := servertest.Start(t)
	whole := s.Create(t, servertest.Request()).GetClientSecret()
	token := s.Token(t, servertest.All...)
	f := servertest.Finder{}
	f.Add(whole)
	f.AddText("in clear", "hunter2-hunter2-hunter2")
	for name, text := range map[string]string{
		"nothing":            "",
		"a word":             "hunter2-hunter2-hunter2",
		"without its end":    whole[:len(whole)-1],
		"a typing error":     strings.Replace(whole, whole[20:21], "_", 1),
		"a space behind":     whole + " ",
		"a line break":       whole + "\n",
		"in quotation marks": `"` + whole + `"`,
		"its prefix only":    "sk_live_",
		"257 characters":     strings.Repeat("x", 257),
	} {
		t.Run(name, func(t *testing.T) {
			for _, protocol := range servertest.Protocols() {
				_, err := s.Secrets(protocol, token).FindSecret(t.Context(), find(text))
				servertest.WantViolations(t, err, "secret")
			}
			body, err := json.Marshal(map[string]string{"secret": text})
			if err != nil {
				t.Fatal(err)
			}
			response, answer := s.PostJSON(t, servertest.FindSecretPath, token, string(body))
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("got %s", response.Status)
			}
			f.WantNone(t, "the answer", answer)
		})
	}
	s.Stop(t)
	f.WantNone(t, "the log", []byte(s.Logs.String()))
}

func TestFindSecret_GuessesCountAsWrongSecrets(t *testing.T) {
	s, clock := oneASecond(t)
	made, token := s.Create(t, servertest.Request()), s.Token(t, servertest.All...)
	guess := func(protocol servertest.Protocol, text string) error {
		_, err := s.Secrets(protocol, token).FindSecret(t.Context(), find(text))
		return err
	}
	for range 3 * burst { // no guess: it cannot be a secret
		servertest.WantViolations(t, guess(servertest.ConnectJSON, "password"), "secret")
	}
	for range burst - 1 {
		servertest.WantError(t, guess(servertest.ConnectJSON, secret.Generate("").Reveal()), connect.CodeNotFound, secretNotFound)
	}
	if s.Verify(t, made.GetClientId(), "guess").GetValid() { // from the same address
		t.Error("a guess is valid")
	}
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		throttled(t, guess(protocol, secret.Generate("sk_live_").Reveal()), tooManySecrets)
		if err := guess(protocol, made.GetClientSecret()); err != nil {
			t.Errorf("the secret of a client: %v", err)
		}
		_, err := s.Secrets(protocol, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: "guess"})
		throttled(t, err, tooManySecrets)
	})
	// Another organisation has failures of its own.
	other := s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "other"})
	_, err := s.Secrets(servertest.ConnectJSON, other).FindSecret(t.Context(), find(secret.Generate("").Reveal()))
	servertest.WantError(t, err, connect.CodeNotFound, secretNotFound)
	clock.Set(clock.Now().Add(time.Second))
	servertest.WantError(t, guess(servertest.ConnectJSON, secret.Generate("").Reveal()), connect.CodeNotFound, secretNotFound)

	caller := s.Events(t, made.GetClientId())[0].ActorIssuer + " urn:xeonr:serviceaccount:test"
	const unknown = "secret of no client on record"
	misses := burst - 1 + len(servertest.Protocols()) + 2
	lines := map[string]int{}
	for _, line := range denials(t, s) {
		if line.Reason == unknown && line.Caller == caller && line.Call == servertest.FindSecretPath && line.Client == "" {
			lines[line.Msg] += max(1, line.More)
		}
	}
	if diff := cmp.Diff(map[string]int{"denied": 1, "denied more often": misses - 1}, lines); diff != "" {
		t.Errorf("lines in the log (-want +got):\n%s", diff)
	}
}
