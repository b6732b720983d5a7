package command_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/command"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// newToken mints for the server as the command line does by default.
func newToken(s *servertest.Server, scope string) command.Token {
	token := command.Token{Scope: scope, Subject: "me", Audience: server.DefaultAudience, TTL: time.Hour}
	token.DataDir = s.Dir
	return token
}

func TestToken_RefusesWhatWouldAllowNothing(t *testing.T) {
	storagetest.OnFile(t, "data folder")
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	elsewhere := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	id := func(text string) func(*command.Token) { return func(c *command.Token) { c.ClientID = text } }
	for name, tt := range map[string]struct {
		scope  string
		change func(*command.Token)
		want   string
	}{
		"a scope with a slip": {
			"oauth:client:read", nil, `--scope "oauth:client:read": there is no such scope, did you mean oauth:clients:read?`,
		},
		"one of several": {
			"oauth:clients:read oauth:clients:veryfy", nil, `--scope "oauth:clients:veryfy": there is no such scope, did you mean oauth:clients:verify?`,
		},
		"capitals": {
			"OAUTH:CLIENTS:READ", nil, `--scope "OAUTH:CLIENTS:READ": there is no such scope, did you mean oauth:clients:read?`,
		},
		"its end only": {
			"rotate:self", nil, `--scope "rotate:self": there is no such scope, did you mean oauth:clients:rotate:self?`,
		},
		"commas": {
			"oauth:clients:read,oauth:clients:verify", nil, `--scope "oauth:clients:read,oauth:clients:verify": scopes are separated by spaces, not by commas`,
		},
		"commas and spaces": {
			"oauth:clients:read, oauth:clients:verify", nil, `--scope "oauth:clients:read,": scopes are separated by spaces, not by commas`,
		},
		"a scope of another service": {
			"openid", nil, `--scope "openid": there is no such scope: see clientsd token --help, or give --allow-unknown-scopes`,
		},
		"admin alone": {
			"admin", nil, "--scope admin: opens no procedure by itself; give oauth:clients:manage or another one too",
		},
		"no client to rotate itself": {
			auth.ScopeRotateSelf, nil, "--scope oauth:clients:rotate:self: needs --client-id, the client that may rotate its own secret",
		},
		"no client, with another scope": {
			auth.ScopeRead + " " + auth.ScopeRotateSelf, nil, "--scope oauth:clients:rotate:self: needs --client-id, the client that may rotate its own secret",
		},
		"a client that is no id": {
			auth.ScopeRotateSelf, id("console"), "--client-id console: the organisation default has no such client",
		},
		"a client of another organisation": {
			auth.ScopeRotateSelf, id(elsewhere.GetClientId()), "--client-id " + elsewhere.GetClientId() + ": the organisation default has no such client",
		},
		"no scope": {" ", nil, "--scope and --subject: must not be empty"},
		"no audience": {
			auth.ScopeRead, func(c *command.Token) { c.Audience = "" }, "--audience: no token audience is configured",
		},
		"an organisation that no server accepts": {
			auth.ScopeRead, func(c *command.Token) { c.Organisation = strings.Repeat("o", 129) },
			"every server would refuse this token: the access token names no usable organisation (claim urn:xeonr:auth:organisation_id)",
		},
		"a subject that no server accepts": {
			auth.ScopeRead, func(c *command.Token) { c.Subject = "me\n" }, "every server would refuse this token: the access token has no usable subject (claim sub)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			token := newToken(s, tt.scope)
			if tt.change != nil {
				tt.change(&token)
			}
			if got, err := said(t, token.Run); err == nil || err.Error() != tt.want || got != "" {
				t.Errorf("got %q, error %v, want error %s", got, err, tt.want)
			}
		})
	}

	t.Run("what it mints is accepted", func(t *testing.T) {
		self := newToken(s, auth.ScopeRotateSelf)
		self.ClientID = made.GetClientId()
		unknown := newToken(s, "openid "+auth.ScopeRead)
		unknown.AllowUnknownScopes = true
		for procedure, token := range map[string]command.Token{
			"RegenerateSecret": self,
			"ListClients":      unknown,
			"GetClient":        newToken(s, strings.Join(auth.Scopes()[:2], "  ")),
		} {
			minted, err := said(t, token.Run)
			if err != nil {
				t.Fatal(err)
			}
			body := `{"clientId": "` + made.GetClientId() + `"}`
			if procedure == "ListClients" {
				body = "{}"
			}
			path := "/xeonr.auth.api.v1.ClientsService/" + procedure
			if response, answer := s.PostJSON(t, path, strings.TrimSpace(minted), body); response.StatusCode != http.StatusOK {
				t.Errorf("%s: got %s: %s", procedure, response.Status, answer)
			}
		}
	})
}

func TestToken_RecordsWhoMintedWhat(t *testing.T) {
	storagetest.OnFile(t, "data folder")
	s := servertest.Start(t)
	token := newToken(s, auth.ScopeRead+" "+auth.ScopeVerify)
	if _, err := said(t, token.Run); err != nil {
		t.Fatal(err)
	}
	token.Organisation, token.ClientID, token.TTL, token.Subject = "acme", "console", 90*time.Second, "pipeline"
	before := time.Now()
	minted, err := said(t, token.Run)
	if err != nil {
		t.Fatal(err)
	}
	bad := newToken(s, "oauth:clients:reed")
	if _, err := said(t, bad.Run); err == nil {
		t.Error("a token with a wrong scope was minted")
	}
	events := mintedTokens(t, s)
	if len(events) != 2 {
		t.Fatalf("got events %v, want two", events)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*ent.ClientEvent{
		{Organisation: "default", Reason: `subject "me", scope "oauth:clients:read oauth:clients:verify", client "", audience "clientsd", ttl 1h0m0s`},
		{Organisation: "acme", Reason: `subject "pipeline", scope "oauth:clients:read oauth:clients:verify", client "console", audience "clientsd", ttl 1m30s`},
	} {
		got := events[i]
		if operator := got.ActorSubject; !strings.HasSuffix(operator, " (uid "+strconv.Itoa(os.Getuid())+")") || got.At.Sub(before).Abs() > time.Minute {
			t.Errorf("got operator %q at %v", operator, got.At)
		}
		want.ID, want.At, want.Kind, want.ActorIssuer, want.ActorSubject = got.ID, got.At, clientevent.KindTokenMinted, "clientsd token", got.ActorSubject
		want.Address, want.API = host, "clientsd"
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ent.ClientEvent{})); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
		if strings.Contains(fmt.Sprint(got), strings.Split(minted, ".")[2]) {
			t.Error("the event holds a part of the token")
		}
	}
}

// mintedTokens returns the events about minted tokens, the oldest first.
func mintedTokens(t *testing.T, s *servertest.Server) []*ent.ClientEvent {
	t.Helper()
	events, err := s.Database(t).Read.ClientEvent.Query().Where(clientevent.KindEQ(clientevent.KindTokenMinted)).Order(clientevent.ByID()).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestToken_EventIsOfNoClient(t *testing.T) {
	storagetest.OnFile(t, "data folder")
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	token := newToken(s, auth.ScopeRead)
	token.ClientID = made.GetClientId()
	if _, err := said(t, token.Run); err != nil {
		t.Fatal(err)
	}
	if got := mintedTokens(t, s); len(got) != 1 || got[0].ClientID != nil {
		t.Errorf("got events %v", got)
	}
	for id, want := range map[string]int{uuid.Nil.String(): 0, made.GetClientId(): 1} {
		answer := s.Post(t, "/clientsd.v1.SecretsService/ListClientEvents", `{"clientId": "`+id+`"}`)
		if listed, _ := answer["events"].([]any); len(listed) != want {
			t.Errorf("the events of %s: %v", id, answer)
		}
	}
}

// What cannot be recorded is not given out.
func TestToken_NotPrintedUnlessRecorded(t *testing.T) {
	storagetest.OnFile(t, "data folder")
	s := servertest.Start(t)
	s.Exec(t, "ALTER TABLE client_events RENAME TO elsewhere")
	token := newToken(s, auth.ScopeRead)
	if got, err := said(t, token.Run); got != "" || err == nil || !strings.HasPrefix(err.Error(), "record token: ") {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestToken_HelpNamesEveryScope(t *testing.T) {
	for _, scope := range auth.Scopes() {
		if help := (command.Token{}).Help(); !strings.Contains(help, "\n    "+scope+" ") && !strings.Contains(help, "\n    "+scope+"\n") {
			t.Errorf("the help does not name %s", scope)
		}
	}
}

// Each rule needs scopes of the table only, so that who mints a token can be told
// of a slip.
func TestScopes_AreThoseOfTheRules(t *testing.T) {
	known := map[string]bool{}
	for _, scope := range auth.Scopes() {
		if known[scope] {
			t.Errorf("%s is listed twice", scope)
		}
		known[scope] = true
	}
	for procedure, rule := range auth.NewRules("") {
		for _, scope := range []string{rule.Scope, rule.Or, rule.And} {
			if scope != "" && !known[scope] {
				t.Errorf("%s: %s is not listed", procedure, scope)
			}
		}
	}
}
