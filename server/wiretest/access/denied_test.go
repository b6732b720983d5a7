package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// A denial is a line of the log about one.
type denialLine struct {
	Msg, Caller, Client, Call, Reason string
	Organisation, Address             string
	SecretVersion                     int64  `json:"secret_version"`
	RequestID                         string `json:"request_id"`
	More                              int
}

// denials stops a server and reads its log: a line an entry, and of those all
// that tell of denials.
func denials(t *testing.T, s *servertest.Server) []denialLine {
	t.Helper()
	s.Stop(t)
	var found []denialLine
	for text := range strings.Lines(s.Logs.String()) {
		var line denialLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if strings.HasPrefix(line.Msg, "denied") {
			found = append(found, line)
		}
	}
	return found
}

func wantDenials(t *testing.T, s *servertest.Server, want ...denialLine) {
	t.Helper()
	got := denials(t, s)
	byText := func(a, b denialLine) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	for i := range got {
		if (got[i].RequestID == "") != (got[i].Msg == "denied more often") {
			t.Errorf("got request id %q: %v", got[i].RequestID, got[i])
		}
		got[i].RequestID = ""
	}
	slices.SortFunc(got, byText)
	slices.SortFunc(want, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("denials in the log (-want +got):\n%s", diff)
	}
}

func TestDeniedCalls_LoggedOncePerCallerAndCounted(t *testing.T) {
	s := servertest.Start(t)
	weak := s.Mint(t, issuer.Grant{Subject: "weak", Scopes: []string{"oauth:clients:verify"}})
	made := s.Create(t, servertest.Request())
	const listed, rotated = servertest.ClientsPath + "ListClients", servertest.ClientsPath + "RegenerateSecret"
	for _, protocol := range servertest.Protocols() {
		for _, token := range []string{weak, "bad", ""} {
			if _, err := s.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err == nil {
				t.Error("the call is allowed")
			}
		}
	}
	more := len(servertest.Protocols()) - 1
	s.PostJSON(t, rotated, weak, `{"clientId":"`+made.GetClientId()+`"}`)
	s.CallREST(t, http.MethodPost, servertest.VigiloPath(made.GetClientId()), weak, "")
	for _, token := range []string{weak, "bad"} {
		s.CallREST(t, http.MethodPost, servertest.ZitadelPath(servertest.Application, made.GetClientId()), token, "{}")
	}
	caller := issuerOf(t, s) + " weak"
	wantDenials(t, s,
		denialLine{Msg: "denied more often", Caller: here, Call: listed, Reason: servertest.MalformedToken, More: more},
		denialLine{Msg: "denied more often", Caller: here, Call: listed, Reason: servertest.NoToken, More: more},
		denialLine{Msg: "denied more often", Caller: caller, Call: listed, Reason: lacks("oauth:clients:read"), More: more},
		denialLine{Msg: "denied", Caller: here, Call: listed, Reason: servertest.MalformedToken},
		denialLine{Msg: "denied", Caller: here, Call: listed, Reason: servertest.NoToken},
		denialLine{Msg: "denied", Caller: here, Call: "zitadel", Reason: servertest.MalformedToken},
		denialLine{Msg: "denied", Caller: caller, Call: listed, Reason: lacks("oauth:clients:read")},
		denialLine{Msg: "denied", Caller: caller, Call: rotated, Reason: servertest.Denied("oauth:clients:rotate", "oauth:clients:manage").Message},
		denialLine{Msg: "denied", Caller: caller, Call: "zitadel", Reason: servertest.Denied(servertest.ScopeAppWrite, servertest.ScopeManage).Message},
		denialLine{Msg: "denied", Caller: caller, Call: "vigilo", Reason: lacks(servertest.ScopeClientManage)})
}

func lacks(scope string) string { return fmt.Sprintf("the access token lacks the scope %q", scope) }

// issuerOf is the name of the built-in issuer.
func issuerOf(t *testing.T, s *servertest.Server) string {
	t.Helper()
	row, err := s.Database(t).Read.SigningKey.Query().Only(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return row.Issuer
}

// A caller chooses the path, its id, the header and, with an issuer that lets
// them, the subject. None of it leaves its line, and of a bad request nothing
// but the call's id is quoted.
func TestDeniedCalls_LogLineCannotBeForged(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	secret := made.GetClientSecret()
	evil := secret + "\n{\"msg\":\"forged\"}\r\x1b[31m\x00"
	subject := s.Mint(t, issuer.Grant{Subject: "me\n{\"msg\":\"forged\"}\x1b[31m"})
	for _, token := range []string{"", "bad", secret, subject, subject[:len(subject)-2] + "AA"} {
		for _, path := range []string{
			servertest.VigiloPath(url.PathEscape(evil)), servertest.ZitadelPath(servertest.Application, url.PathEscape(evil)), servertest.ClientsPath + url.PathEscape(evil),
			"/management/v1/" + url.PathEscape(evil), servertest.ClientsPath + "ListClients?secret=" + url.QueryEscape(evil), "/" + url.PathEscape(evil),
		} {
			request := s.NewRequest(t, path, token, strings.NewReader("{}"))
			request.Header.Set("X-Request-Id", "id {\"msg\":\"forged\"}")
			request.Header.Set("User-Agent", secret)
			servertest.Do(t, request)
		}
	}
	for _, line := range denials(t, s) {
		if line.Msg == "forged" || line.Call == "" || strings.Contains(line.RequestID, "forged") {
			t.Errorf("got %+v", line)
		}
	}
	logs := s.Logs.String()
	for name, text := range map[string]string{"a secret": secret, "a token": subject, "a signature": subject[len(subject)-40:]} {
		if strings.Contains(logs, text) {
			t.Errorf("%s stands in the log", name)
		}
	}
	if strings.ContainsAny(logs, "\x1b\x00\r") || strings.Contains(logs, "\n{\"msg\":\"forged") {
		t.Error("control characters stand in the log")
	}
}
