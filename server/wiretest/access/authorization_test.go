package access_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"clientsd/server/servertest"
)

// What is wrong with an Authorization header, beside the token in it.
const (
	twoHeaders  = "the request has more than one Authorization header"
	badlyFormed = "the Authorization header does not hold one bearer token"
)

func TestAuthorizationHeader_HoldsOneBearerToken(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeRead)
	for _, tt := range []struct {
		name    string
		header  []string // TOKEN stands for a good token
		refused string   // empty: accepted
	}{
		{"as everyone writes it", []string{"Authorization: Bearer TOKEN"}, ""},
		{"scheme in small letters", []string{"Authorization: bearer TOKEN"}, ""},
		{"scheme in capitals", []string{"Authorization: BEARER TOKEN"}, ""},
		{"name in small letters", []string{"authorization: Bearer TOKEN"}, ""},
		{"two spaces in between", []string{"Authorization: Bearer  TOKEN"}, ""},
		{"spaces and tabs around", []string{"Authorization: \t Bearer TOKEN \t "}, ""},
		{"none", nil, servertest.NoToken},
		{"empty", []string{"Authorization:"}, servertest.NoToken},
		{"the token alone", []string{"Authorization: TOKEN"}, servertest.NoToken},
		{"a tab in between", []string{"Authorization: Bearer\tTOKEN"}, servertest.NoToken},
		{"another scheme", []string{"Authorization: Basic TOKEN"}, servertest.NoToken},
		{"a scheme that goes on", []string{"Authorization: Bearers TOKEN"}, servertest.NoToken},
		{"an equals sign in between", []string{"Authorization: Bearer=TOKEN"}, servertest.NoToken},
		{"another header", []string{"X-Authorization: Bearer TOKEN", "Proxy-Authorization: Bearer TOKEN"}, servertest.NoToken},
		{"a cookie", []string{"Cookie: Authorization=Bearer TOKEN; access_token=TOKEN"}, servertest.NoToken},
		{"the scheme alone", []string{"Authorization: Bearer"}, badlyFormed},
		{"two tokens", []string{"Authorization: Bearer TOKEN TOKEN"}, badlyFormed},
		{"two tokens and a comma", []string{"Authorization: Bearer TOKEN, Bearer TOKEN"}, badlyFormed},
		{"in quotes", []string{`Authorization: Bearer "TOKEN"`}, badlyFormed},
		{"as a parameter", []string{`Authorization: Bearer token="TOKEN"`}, badlyFormed},
		{"a byte that is no ASCII", []string{"Authorization: Bearer TOKEN\xff"}, badlyFormed},
		{"the same header twice", []string{"Authorization: Bearer TOKEN", "Authorization: Bearer TOKEN"}, twoHeaders},
		{"a good header and an empty one", []string{"Authorization: Bearer TOKEN", "Authorization:"}, twoHeaders},
		{"a bad header and a good one", []string{"Authorization: Bearer x", "authorization: Bearer TOKEN"}, twoHeaders},
	} {
		header := strings.ReplaceAll(strings.Join(tt.header, "\r\n"), "TOKEN", token)
		got := s.Send(t, servertest.RawPost(servertest.ClientsPath+"ListClients", "{}", servertest.JSONType, header))
		servertest.WantNoLeak(t, got)
		wantAuthorization(t, tt.name, got, tt.refused)
	}
}

func TestToken_OutsideTheHeaderIsIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeRead)
	list := servertest.ClientsPath + "ListClients"
	const form = "Content-Type: application/x-www-form-urlencoded"
	for name, request := range map[string]string{
		"in the query":           servertest.RawPost(list+"?access_token="+token+"&Authorization=Bearer%20"+token, "{}", servertest.JSONType),
		"in the JSON":            servertest.RawPost(list, fmt.Sprintf(`{"access_token": %q, "authorization": "Bearer %s"}`, token, token), servertest.JSONType),
		"in a form":              servertest.RawPost(list, "access_token="+token, form),
		"in the user of the URL": servertest.RawPost("http://Bearer:"+token+"@clients.example.com"+list, "{}", servertest.JSONType),
	} {
		wantAuthorization(t, name, s.Send(t, request), servertest.NoToken)
	}
}

// wantAuthorization fails the test unless a call was accepted, or refused for
// the reason.
func wantAuthorization(t *testing.T, name string, got servertest.Reply, reason string) {
	t.Helper()
	if reason == "" {
		if got.Status != http.StatusOK {
			t.Errorf("%s: got status %d: %s", name, got.Status, got.Body)
		}
		return
	}
	token := "any"
	if reason == servertest.NoToken {
		token = ""
	}
	want := servertest.Unauthenticated(token, reason)
	if got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, reason) || got.Header.Get("WWW-Authenticate") != want.Challenge {
		t.Errorf("%s: got status %d, challenge %s: %s\nwant: %+v", name, got.Status, got.Header.Get("WWW-Authenticate"), got.Body, want)
	}
}
