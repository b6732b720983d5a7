package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// The bodies as the contract has them. Each is compared byte for byte.
const (
	vigiloMissing  = `{"error":"invalid_request","error_description":"missing 'client_id' in request"}`
	vigiloNoClient = `{"error":"invalid_client","error_description":"client does not exist with the given ID"}`
	vigiloPublic   = `{"error":"unauthorized_client","error_description":"client is not type 'confidential'"}`
	vigiloScope    = `{"error":"invalid_scope","error_description":"client does not have required scope 'client:manage'"}`
	vigiloInternal = `{"error":"internal_server_error","error_description":"failed to regenerate client_secret"}`
	vigiloNoToken  = `{"error":"invalid_token","error_description":"the request carries no access token"}`
	vigiloBadToken = `{"error":"invalid_token","error_description":"the access token is not a well-formed signed JWT"}`
	vigiloMethod   = `{"error":"invalid_request","error_description":"only POST is allowed"}`

	invalidToken = `Bearer error="invalid_token"`
	lackingScope = `Bearer error="insufficient_scope"`
)

func vigiloPath(id string) string { return "/client/" + id + "/regenerate-secret" }

// wantVigilo fails the test unless an answer is exactly this one.
func wantVigilo(t *testing.T, got reply, status int, body, challenge string) {
	t.Helper()
	if got.status != status || got.body != body || got.header.Get("Www-Authenticate") != challenge {
		t.Errorf("got status %d, challenge %q: %s\nwant %d, %q: %s",
			got.status, got.header.Get("Www-Authenticate"), got.body, status, challenge, body)
	}
}

func TestVigiloAnswersAsDocumented(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := byHand()
	s := servertest.Start(t, option)
	token := s.Token(t, clientManage)
	for _, prefix := range []string{"/client/", "/clients/"} {
		for _, body := range []string{"", "{}", "no JSON at all"} {
			made := s.Create(t, servertest.Request())
			clock.set(clock.now().Add(9 * time.Second).Truncate(time.Second).Add(840 * time.Millisecond)) // the zero at the end stays
			got := ask(t, s, http.MethodPost, prefix+made.GetClientId()+"/regenerate-secret", token, body)
			secret, _ := object(t, []byte(got.body))["client_secret"].(string)
			wantVigilo(t, got, http.StatusOK, fmt.Sprintf(`{"client_id":%q,"client_secret":%q,"updated_at":%q}`,
				made.GetClientId(), secret, clock.now().UTC().Format("2006-01-02T15:04:05")+".840000+00:00"), "")
			wantOnlySecret(t, s, made.GetClientId(), 2, secret, made.GetClientSecret())
		}
	}
}

func TestVigiloRefusesAsDocumented(t *testing.T) {
	s := servertest.Start(t)
	id, open := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	good, foreign := s.Token(t, clientManage), s.Mint(t, issuer.Grant{Scopes: []string{clientManage}, Organisation: "acme"})
	for _, tt := range []struct {
		name, path, token string
		status            int
		body, challenge   string
	}{
		{"no id in /client/", "/client//regenerate-secret", good, 400, vigiloMissing, ""},
		{"no id in /clients/", "/clients//regenerate-secret", good, 400, vigiloMissing, ""},
		{"no segment in /client/", "/client/regenerate-secret", good, 400, vigiloMissing, ""},
		{"no segment in /clients/", "/clients/regenerate-secret", good, 400, vigiloMissing, ""},
		{"no client", vigiloPath(uuid.NewString()), good, 401, vigiloNoClient, ""},
		{"a client of another organisation", vigiloPath(id), foreign, 401, vigiloNoClient, ""},
		{"a public client", vigiloPath(open), good, 403, vigiloPublic, ""},
		{"no scope", vigiloPath(id), s.Token(t), 403, vigiloScope, lackingScope},
		{"the scope of the main face", vigiloPath(id), s.Token(t, manage, admin), 403, vigiloScope, lackingScope},
		{"no token", vigiloPath(id), "", 401, vigiloNoToken, invalidToken},
		{"a bad token", vigiloPath(id), "garbage", 401, vigiloBadToken, invalidToken},
		{"a token in the query", vigiloPath(id) + "?access_token=" + good, "", 401, vigiloNoToken, invalidToken},

		// The token is looked at before the scope, and that before the id.
		{"no token and no id", "/client//regenerate-secret", "", 401, vigiloNoToken, invalidToken},
		{"no scope and no id", "/client//regenerate-secret", s.Token(t, read), 403, vigiloScope, lackingScope},
		{"no scope and no client", vigiloPath(uuid.NewString()), s.Token(t, read), 403, vigiloScope, lackingScope},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVigilo(t, ask(t, s, http.MethodPost, tt.path, tt.token, ""), tt.status, tt.body, tt.challenge)
		})
	}
	wantHistory(t, s, id, 1)
	exec(t, s, "DROP TABLE client_events")
	wantVigilo(t, ask(t, s, http.MethodPost, vigiloPath(id), good, ""), 500, vigiloInternal, "")
}

func TestOnlyPOSTRotatesOverVigilo(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	for _, path := range []string{vigiloPath(id), "/clients/" + id + "/regenerate-secret", "/client//regenerate-secret", "/clients/regenerate-secret"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "post"} {
			for _, token := range []string{"", s.Token(t, clientManage)} {
				got := ask(t, s, method, path, token, "")
				want := vigiloMethod
				if method == http.MethodHead {
					want = ""
				}
				wantVigilo(t, got, http.StatusMethodNotAllowed, want, "")
				if allow := got.header.Values("Allow"); len(allow) != 1 || allow[0] != http.MethodPost {
					t.Errorf("%s %s: got Allow %q", method, path, allow)
				}
			}
		}
	}
	wantHistory(t, s, id, 1)
}

func TestIdsInThePathsOfVigilo(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, clientManage)
	rotations := int64(0)
	for name, tt := range map[string]struct {
		id     string
		status int
	}{
		"as it is":                   {id, 200},
		"in capitals":                {strings.ToUpper(id), 200},
		"every character escaped":    {escapeAll(id), 200},
		"a hyphen escaped":           {strings.Replace(id, "-", "%2d", 1), 200},
		"escaped twice":              {strings.ReplaceAll(escapeAll(id), "%", "%25"), 401},
		"a slash":                    {"a%2Fb", 401},
		"a slash behind it":          {id + "%2F", 401},
		"a NUL":                      {"%00", 401},
		"a NUL behind it":            {id + "%00", 401},
		"a space":                    {"%20", 401},
		"a line break behind it":     {id + "%0D%0A", 401},
		"bytes that are no UTF-8":    {"%ff%fe", 401},
		"braces around it":           {"%7B" + id + "%7D", 401},
		"a wildcard":                 {"*", 401},
		"SQL":                        {"%27%20OR%201=1--", 401},
		"up":                         {"..", 401},
		"a parameter":                {id + ";x=1", 401},
		"8,000 characters":           {strings.Repeat("a", 8000), 401},
		"the name of the action":     {"regenerate-secret", 401},
		"the id of the JWT standard": {"urn:uuid:" + id, 401},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s, http.MethodPost, vigiloPath(tt.id), token, "")
			if tt.status == http.StatusOK {
				rotations++
				if got.status != http.StatusOK || object(t, []byte(got.body))["client_id"] != id {
					t.Errorf("got status %d: %s", got.status, got.body)
				}
				return
			}
			wantVigilo(t, got, tt.status, vigiloNoClient, "")
		})
	}
	wantHistory(t, s, id, 1+rotations)
	wantCalm(t, s)
}

func TestPathsThatAreNotVigilos(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	bearer := "Authorization: Bearer " + s.Token(t, clientManage)
	for name, tt := range map[string]struct {
		path   string
		status int
	}{
		"a slash at the end":            {vigiloPath(id) + "/", 404},
		"a slash at the end, and no id": {"/client/regenerate-secret/", 404},
		"the client alone":              {"/client/" + id, 404},
		"another action":                {"/client/" + id + "/secret", 404},
		"two ids":                       {"/client/" + id + "/" + id + "/regenerate-secret", 404},
		"in capitals":                   {strings.ToUpper(vigiloPath(id)), 404},
		"another prefix":                {"/api/client/" + id + "/regenerate-secret", 404},
		"an escape that is none":        {"/client/%zz/regenerate-secret", 400},
		"an escape that ends":           {"/client/%2/regenerate-secret", 400},
		// The router sends a path to its clean form, with the method and the body.
		"two slashes in front": {"/" + vigiloPath(id), 307},
		"up and down again":    {"/client/x/../" + id + "/regenerate-secret", 307},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, s, httpPost(tt.path, "{}", jsonType, bearer))
			wantNoLeak(t, got)
			if got.status != tt.status || tt.status == 307 && got.header.Get("Location") != vigiloPath(id) {
				t.Errorf("got status %d, Location %q: %s", got.status, got.header.Get("Location"), got.body)
			}
		})
	}
	wantHistory(t, s, id, 1)
	wantCalm(t, s)
}

func TestVigiloReadsNothingButTheToken(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, clientManage)
	headers := [][]string{
		{"Content-Type", "text/xml"},
		{"Content-Type", ""},
		{"Content-Encoding", "gzip"},
		{"Accept", "text/html"},
		{"X-Zitadel-Orgid", "acme"},
		{"Connect-Protocol-Version", "2"},
		{"Connect-Timeout-Ms", "0"},
		{"X-HTTP-Method-Override", "GET"},
	}
	for _, header := range headers {
		if got := ask(t, s, http.MethodPost, vigiloPath(id)+"?client_id=other", token, "x", header...); got.status != http.StatusOK {
			t.Errorf("%s: got status %d: %s", header, got.status, got.body)
		}
	}
	wantHistory(t, s, id, int64(1+len(headers)))
}
