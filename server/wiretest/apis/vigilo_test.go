package apis_test

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
	lackingScope = `Bearer error="insufficient_scope", scope="client:manage"`
)

// wantVigilo fails the test unless an answer is exactly this one.
func wantVigilo(t *testing.T, got servertest.Reply, status int, body, challenge string) {
	t.Helper()
	if got.Status != status || got.Body != body || got.Header.Get("Www-Authenticate") != challenge {
		t.Errorf("got status %d, challenge %q: %s\nwant %d, %q: %s",
			got.Status, got.Header.Get("Www-Authenticate"), got.Body, status, challenge, body)
	}
}

func TestVigilo_AnswersAsDocumented(t *testing.T) {
	storagetest.OnFile(t, "clock that a test could set: the time is the server's")
	clock, option := servertest.StopClock()
	s := servertest.Start(t, option)
	token := s.Token(t, servertest.ScopeClientManage)
	for _, prefix := range []string{"/client/", "/clients/"} {
		for _, body := range []string{"", "{}", "no JSON at all"} {
			made := s.Create(t, servertest.Request())
			clock.Set(clock.Now().Add(9 * time.Second).Truncate(time.Second).Add(840 * time.Millisecond)) // the zero at the end stays
			got := s.CallREST(t, http.MethodPost, prefix+made.GetClientId()+"/regenerate-secret", token, body)
			secret, _ := servertest.Object(t, []byte(got.Body))["client_secret"].(string)
			wantVigilo(t, got, http.StatusOK, fmt.Sprintf(`{"client_id":%q,"client_secret":%q,"updated_at":%q}`,
				made.GetClientId(), secret, clock.Now().UTC().Format("2006-01-02T15:04:05")+".840000+00:00"), "")
			s.WantOnlySecret(t, made.GetClientId(), 2, secret, made.GetClientSecret())
		}
	}
}

func TestVigilo_RefusesAsDocumented(t *testing.T) {
	s := servertest.Start(t)
	id, open := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	good, foreign := s.Token(t, servertest.ScopeClientManage), s.Mint(t, issuer.Grant{Scopes: []string{servertest.ScopeClientManage}, Organisation: "acme"})
	for _, tt := range []struct {
		name, path, token string
		status            int
		body, challenge   string
	}{
		{"no id in /client/", "/client//regenerate-secret", good, 400, vigiloMissing, ""},
		{"no id in /clients/", "/clients//regenerate-secret", good, 400, vigiloMissing, ""},
		{"no segment in /client/", "/client/regenerate-secret", good, 400, vigiloMissing, ""},
		{"no segment in /clients/", "/clients/regenerate-secret", good, 400, vigiloMissing, ""},
		{"no client", servertest.VigiloPath(uuid.NewString()), good, 401, vigiloNoClient, ""},
		{"a client of another organisation", servertest.VigiloPath(id), foreign, 401, vigiloNoClient, ""},
		{"a public client", servertest.VigiloPath(open), good, 403, vigiloPublic, ""},
		{"no scope", servertest.VigiloPath(id), s.Token(t), 403, vigiloScope, lackingScope},
		{"the scope of the main API", servertest.VigiloPath(id), s.Token(t, servertest.ScopeManage, servertest.ScopeAdmin), 403, vigiloScope, lackingScope},
		{"no token", servertest.VigiloPath(id), "", 401, vigiloNoToken, invalidToken},
		{"a bad token", servertest.VigiloPath(id), "garbage", 401, vigiloBadToken, invalidToken},
		{"a token in the query", servertest.VigiloPath(id) + "?access_token=" + good, "", 401, vigiloNoToken, invalidToken},

		// The token is looked at before the scope, and that before the id.
		{"no token and no id", "/client//regenerate-secret", "", 401, vigiloNoToken, invalidToken},
		{"no scope and no id", "/client//regenerate-secret", s.Token(t, servertest.ScopeRead), 403, vigiloScope, lackingScope},
		{"no scope and no client", servertest.VigiloPath(uuid.NewString()), s.Token(t, servertest.ScopeRead), 403, vigiloScope, lackingScope},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVigilo(t, s.CallREST(t, http.MethodPost, tt.path, tt.token, ""), tt.status, tt.body, tt.challenge)
		})
	}
	s.WantHistory(t, id, 1)
	s.Exec(t, "DROP TABLE client_events")
	wantVigilo(t, s.CallREST(t, http.MethodPost, servertest.VigiloPath(id), good, ""), 500, vigiloInternal, "")
}

func TestVigilo_OnlyPOSTRotates(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	for _, path := range []string{servertest.VigiloPath(id), "/clients/" + id + "/regenerate-secret", "/client//regenerate-secret", "/clients/regenerate-secret"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "post"} {
			for _, token := range []string{"", s.Token(t, servertest.ScopeClientManage)} {
				got := s.CallREST(t, method, path, token, "")
				want := vigiloMethod
				if method == http.MethodHead {
					want = ""
				}
				wantVigilo(t, got, http.StatusMethodNotAllowed, want, "")
				if allow := got.Header.Values("Allow"); len(allow) != 1 || allow[0] != http.MethodPost {
					t.Errorf("%s %s: got Allow %q", method, path, allow)
				}
			}
		}
	}
	s.WantHistory(t, id, 1)
}

func TestVigilo_IDInThePath(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.ScopeClientManage)
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
			got := s.CallREST(t, http.MethodPost, servertest.VigiloPath(tt.id), token, "")
			if tt.status == http.StatusOK {
				rotations++
				if got.Status != http.StatusOK || servertest.Object(t, []byte(got.Body))["client_id"] != id {
					t.Errorf("got status %d: %s", got.Status, got.Body)
				}
				return
			}
			wantVigilo(t, got, tt.status, vigiloNoClient, "")
		})
	}
	s.WantHistory(t, id, 1+rotations)
	s.WantCalm(t)
}

func TestVigilo_OtherPaths(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	bearer := "Authorization: Bearer " + s.Token(t, servertest.ScopeClientManage)
	const ours, none, notHTTP = `"error":"invalid_request","error_description":"no such path: this API has POST /clients/{client_id}/regenerate-secret only"`,
		`"code":"unimplemented"`, "400 Bad Request"
	for name, tt := range map[string]struct {
		path   string
		status int
		words  string
	}{
		"a slash at the end":            {servertest.VigiloPath(id) + "/", 404, ours},
		"a slash at the end, and no id": {"/client/regenerate-secret/", 404, ours},
		"the client alone":              {"/client/" + id, 404, ours},
		"another action":                {"/client/" + id + "/secret", 404, ours},
		"two ids":                       {"/client/" + id + "/" + id + "/regenerate-secret", 404, ours},
		"up and down again":             {"/client/x/../" + id + "/regenerate-secret", 404, ours},
		"all clients":                   {"/clients", 404, ours},
		"in capitals":                   {strings.ToUpper(servertest.VigiloPath(id)), 404, none},
		"another prefix":                {"/api/client/" + id + "/regenerate-secret", 404, none},
		"two slashes in front":          {"/" + servertest.VigiloPath(id), 404, none},
		"an escape that is none":        {"/client/%zz/regenerate-secret", 400, notHTTP},
		"an escape that ends":           {"/client/%2/regenerate-secret", 400, notHTTP},
	} {
		t.Run(name, func(t *testing.T) {
			for _, token := range []string{bearer, ""} {
				got := s.Send(t, servertest.RawPost(tt.path, "{}", servertest.JSONType, token))
				servertest.WantNoLeak(t, got)
				if got.Status != tt.status || !strings.Contains(got.Body, tt.words) {
					t.Errorf("got status %d: %s", got.Status, got.Body)
				}
			}
		})
	}
	s.WantHistory(t, id, 1)
	s.WantCalm(t)
}

func TestVigilo_ReadsNothingButTheToken(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	token := s.Token(t, servertest.ScopeClientManage)
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
		if got := s.CallREST(t, http.MethodPost, servertest.VigiloPath(id)+"?client_id=other", token, "x", header...); got.Status != http.StatusOK {
			t.Errorf("%s: got status %d: %s", header, got.Status, got.Body)
		}
	}
	s.WantHistory(t, id, int64(1+len(headers)))
}
