package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"clientsd/server/servertest"
)

// What is wrong with an Authorization header, beside the token in it.
const (
	noToken     = "the request carries no access token"
	twoHeaders  = "the request has more than one Authorization header"
	badlyFormed = "the Authorization header does not hold one bearer token"
)

func TestTheAuthorizationHeaderHoldsOneBearerToken(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, read)
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
		{"none", nil, noToken},
		{"empty", []string{"Authorization:"}, noToken},
		{"the token alone", []string{"Authorization: TOKEN"}, noToken},
		{"a tab in between", []string{"Authorization: Bearer\tTOKEN"}, noToken},
		{"another scheme", []string{"Authorization: Basic TOKEN"}, noToken},
		{"a scheme that goes on", []string{"Authorization: Bearers TOKEN"}, noToken},
		{"an equals sign in between", []string{"Authorization: Bearer=TOKEN"}, noToken},
		{"another header", []string{"X-Authorization: Bearer TOKEN", "Proxy-Authorization: Bearer TOKEN"}, noToken},
		{"a cookie", []string{"Cookie: Authorization=Bearer TOKEN; access_token=TOKEN"}, noToken},
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
		got := send(t, s, httpPost(clientsService+"ListClients", "{}", jsonType, header))
		wantNoLeak(t, got)
		wantAuthorization(t, tt.name, got, tt.refused)
	}
}

func TestATokenOutsideTheHeaderIsIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	token := s.Token(t, read)
	list := clientsService + "ListClients"
	const form = "Content-Type: application/x-www-form-urlencoded"
	for name, request := range map[string]string{
		"in the query":           httpPost(list+"?access_token="+token+"&Authorization=Bearer%20"+token, "{}", jsonType),
		"in the JSON":            httpPost(list, fmt.Sprintf(`{"access_token": %q, "authorization": "Bearer %s"}`, token, token), jsonType),
		"in a form":              httpPost(list, "access_token="+token, form),
		"in the user of the URL": httpPost("http://Bearer:"+token+"@clients.example.com"+list, "{}", jsonType),
	} {
		wantAuthorization(t, name, send(t, s, request), noToken)
	}
}

const jsonType = "Content-Type: application/json"

// httpPost writes a request with these lines of header. The ones that are
// empty are left out.
func httpPost(target, body string, header ...string) string {
	var request strings.Builder
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: clients.example.com\r\nConnection: close\r\nContent-Length: %d\r\n", target, len(body))
	for _, line := range header {
		if line != "" {
			request.WriteString(line + "\r\n")
		}
	}
	return request.String() + "\r\n" + body
}

// wantAuthorization fails the test unless a call was accepted, or refused for
// the reason.
func wantAuthorization(t *testing.T, name string, got reply, reason string) {
	t.Helper()
	if reason == "" {
		if got.status != http.StatusOK {
			t.Errorf("%s: got status %d: %s", name, got.status, got.body)
		}
		return
	}
	token := "any"
	if reason == noToken {
		token = ""
	}
	want := unauthenticated(token, reason)
	if got.status != http.StatusUnauthorized || !strings.Contains(got.body, reason) || got.header.Get("WWW-Authenticate") != want.Challenge {
		t.Errorf("%s: got status %d, challenge %s: %s\nwant: %+v", name, got.status, got.header.Get("WWW-Authenticate"), got.body, want)
	}
}
