package issuers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
	"clientsd/server/command"
	"clientsd/server/servertest"
)

// page is docs/issuers.md, which these tests follow as it is written.
const page = "../../../docs/issuers.md"

// recipe is what the page says about one issuer.
type recipe struct {
	flags          []string       // of clientsd serve
	issuer         *url.URL       // as the page names it
	header, claims map[string]any // of a token
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n./clientsd serve (.*?)\n```")
	jsonBlock  = regexp.MustCompile("(?s)```json\n(.*?)\n```")
)

// readRecipes reads the sections of the page that have a token, by their titles.
func readRecipes(t *testing.T) map[string]recipe {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	recipes := map[string]recipe{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		if token := jsonBlock.FindStringSubmatch(body); token != nil {
			recipes[title] = readRecipe(t, shellBlock.FindStringSubmatch(body)[1], token[1])
		}
	}
	return recipes
}

func readRecipe(t *testing.T, line, token string) (r recipe) {
	t.Helper()
	r.flags = strings.Fields(strings.ReplaceAll(line, "\\\n", " "))
	decoder := json.NewDecoder(strings.NewReader(token))
	for _, part := range []*map[string]any{&r.header, &r.claims} {
		if err := decoder.Decode(part); err != nil {
			t.Fatalf("%v in %s", err, token)
		}
	}
	var err error
	if r.issuer, err = url.Parse(r.flags[slices.Index(r.flags, "--issuer")+1]); err != nil {
		t.Fatal(err)
	}
	return r
}

// issuerOf starts an issuer on loopback that is called as that of the recipe, but
// for its host, and publishes its metadata where that would.
func (r recipe) issuerOf(t *testing.T, keys ...authtest.Key) *authtest.Issuer {
	t.Helper()
	issuer := authtest.NewIssuer(t, keys...)
	keysURL := issuer.URL + authtest.KeysPath
	issuer.URL += r.issuer.Path
	issuer.AnswerJSON(t, strings.TrimSuffix(r.issuer.Path, "/")+authtest.DiscoveryPath,
		map[string]any{"issuer": issuer.URL, "jwks_uri": keysURL})
	return issuer
}

// sign makes the token of the recipe as the issuer would make it now, with some
// claims changed.
func (r recipe) sign(t *testing.T, issuer *authtest.Issuer, key authtest.Key, over map[string]any) string {
	t.Helper()
	issued, ok := r.claims["iat"].(float64)
	if !ok {
		t.Fatal("the token on the page has no iat")
	}
	claims := authtest.With(r.claims, map[string]any{"iss": issuer.URL})
	for _, name := range []string{"exp", "iat", "nbf", "auth_time"} {
		if date, ok := claims[name].(float64); ok {
			claims[name] = int64(date-issued) + time.Now().Unix()
		}
	}
	// The header is the issuer's alone: a type that it does not write is left out.
	header := authtest.With(r.header, nil)
	if _, ok := header["typ"]; !ok {
		header["typ"] = nil
	}
	return key.Sign(t, authtest.With(claims, over), header)
}

// serve runs clientsd serve with the flags, in this process, until the test ends.
func serve(t *testing.T, flags ...string) *servertest.Server {
	t.Helper()
	var line command.Serve
	parser, err := kong.New(&line, command.WithDays())
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append(flags, "--addr", "127.0.0.1:0", "--data-dir", t.TempDir(), "--log-format", "json"))
	if err != nil {
		t.Fatal(err)
	}
	s := &servertest.Server{Logs: &servertest.Logs{}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- line.Run(&command.Environment{Context: ctx, Stdout: &bytes.Buffer{}, Stderr: s.Logs, Version: "test"})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	serving := regexp.MustCompile(`"msg":"serving","url":"([^"]*)"`)
	eventually(t, "the server says where it serves", func() bool {
		found := serving.FindStringSubmatch(s.Logs.String())
		if found != nil {
			s.URL = found[1]
		}
		return found != nil
	})
	waitUntilReady(t, s)
	return s
}

// scopesOf asks for each scope whether a token has it, by a call that needs it.
func scopesOf(t *testing.T, s *servertest.Server, token string) (scopes []string) {
	t.Helper()
	clients, nobody := s.Clients(over, token), uuid.NewString()
	for _, call := range []struct {
		scope string
		ask   func() error
	}{
		{auth.ScopeRead, func() error {
			_, err := clients.ListClients(t.Context(), &apiv1.ListClientsRequest{})
			return err
		}},
		{auth.ScopeManage, func() error {
			_, err := clients.DeleteClient(t.Context(), &apiv1.DeleteClientRequest{ClientId: nobody})
			return err
		}},
		{auth.ScopeRotate, func() error {
			_, err := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: nobody})
			return err
		}},
		{auth.ScopeVerify, func() error {
			_, err := s.Secrets(over, token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: nobody, Secret: "guess"})
			return err
		}},
	} {
		switch err := call.ask(); connect.CodeOf(err) {
		case connect.CodePermissionDenied:
		case connect.CodeUnauthenticated, connect.CodeUnavailable:
			t.Fatalf("%s: %v", call.scope, err)
		default:
			scopes = append(scopes, call.scope)
		}
	}
	return scopes
}

// organisationOf creates a client and returns the organisation that its event names.
func organisationOf(t *testing.T, s *servertest.Server, token string) string {
	t.Helper()
	made := s.CreateAs(t, token, servertest.Request())
	page, err := s.Secrets(over, token).ListClientEvents(t.Context(), &clientsdv1.ListClientEventsRequest{ClientId: made.GetClientId()})
	if err != nil {
		t.Fatal(err)
	}
	return page.GetEvents()[0].GetActor().GetOrganisation()
}

// readAndManage are the scopes of the tokens on the page; who manages may rotate.
var readAndManage = []string{auth.ScopeRead, auth.ScopeManage, auth.ScopeRotate}

// vendor is what the page promises of one issuer.
type vendor struct {
	scopes       []string
	organisation string // empty: the token may not create a client that would show it
	// without is the answer to the token if only --issuer and --audience are given.
	without answer
	// others are tokens of the same issuer that have less.
	others map[string]other
}

// other is a token that differs in some claims.
type other struct {
	claims  map[string]any
	scopes  []string
	refused string // empty: it is accepted
}

// noScope is the answer to ListClients with a token that has not its scope.
var noScope = answer{Status: 403, Code: "permission_denied", Message: `the access token lacks the scope "oauth:clients:read"`}

var accepted = answer{Status: 200}

var vendors = map[string]vendor{
	"Keycloak": {
		scopes: readAndManage, organisation: "acme", without: accepted,
		others: map[string]other{
			"for another service":      {claims: map[string]any{"aud": "account"}, refused: "the access token is meant for another audience (claim aud)"},
			"with roles of that name":  {claims: map[string]any{"scope": "email", "realm_access": map[string]any{"roles": []string{auth.ScopeManage}}}},
			"of a client with one":     {claims: map[string]any{"scope": "profile oauth:clients:read email"}, scopes: []string{auth.ScopeRead}},
			"with lists of scopes":     {claims: map[string]any{"scope": []string{auth.ScopeRead}}, scopes: []string{auth.ScopeRead}},
			"with two organisations":   {claims: map[string]any{"organisation": []string{"acme", "evil"}}, refused: "the claim organisation of the access token is not a string"},
			"with a scope of a number": {claims: map[string]any{"scope": 7}, refused: "the claim scope of the access token is neither a string nor a list of strings"},
		},
	},
	"Auth0": {
		scopes: readAndManage, organisation: "org_9ybsU1dN2dKfDkBi", without: noScope,
		others: map[string]other{
			"without permissions":      {claims: map[string]any{"permissions": []string{}, "scope": "oauth:clients:manage oauth:clients:read"}},
			"of an API without RBAC":   {claims: map[string]any{"permissions": nil, "scope": "oauth:clients:read"}},
			"with an iss without path": {claims: map[string]any{"iss": "https://acme.eu.auth0.com"}, refused: "the access token is from an issuer that is not trusted"},
		},
	},
	"Okta": {
		scopes: readAndManage, organisation: "acme", without: accepted,
		others: map[string]other{
			"of the org server":    {claims: map[string]any{"aud": "https://acme.okta.com"}, refused: "the access token is meant for another audience (claim aud)"},
			"with other scopes":    {claims: map[string]any{"scp": []string{"openid", "email"}}},
			"with numbers in them": {claims: map[string]any{"scp": []any{"openid", 1}}, refused: "the claim scp of the access token is neither a string nor a list of strings"},
		},
	},
	"Microsoft Entra ID": {
		scopes: readAndManage, organisation: "87654321-4321-4321-4321-987654321cba", without: noScope,
		others: map[string]other{
			"of a user, with scp":           {claims: map[string]any{"roles": nil, "scp": "oauth:clients:read oauth:clients:manage"}},
			"with a role in small letters":  {claims: map[string]any{"roles": []string{"clients.read"}}},
			"with a role of our own name":   {claims: map[string]any{"roles": []string{auth.ScopeManage}}},
			"with one role":                 {claims: map[string]any{"roles": []string{"Clients.Read", "Other.Read"}}, scopes: []string{auth.ScopeRead}},
			"of another application's page": {claims: map[string]any{"aud": "1671f074-56e2-4c37-873b-b7b07a120b18"}, refused: "the access token is meant for another audience (claim aud)"},
		},
	},
	"ZITADEL": {
		scopes: readAndManage, organisation: "319612800000000000", without: noScope,
		others: map[string]other{
			"with one role": {
				claims: map[string]any{"urn:zitadel:iam:org:project:319612843764581204:roles": map[string]any{"reader": map[string]any{"1": "acme"}}},
				scopes: []string{auth.ScopeRead},
			},
			"with a role that is off": {
				claims: map[string]any{"urn:zitadel:iam:org:project:319612843764581204:roles": map[string]any{"reader": false, "manager": nil}},
			},
			"with roles of another project": {
				claims: map[string]any{
					"urn:zitadel:iam:org:project:319612843764581204:roles": nil,
					"urn:zitadel:iam:org:project:roles":                    map[string]any{"manager": map[string]any{"1": "acme"}},
				},
			},
		},
	},
	"Ory Hydra": {
		scopes: readAndManage, organisation: auth.DefaultOrganisation, without: accepted,
		others: map[string]other{
			"with scope_claim string": {claims: map[string]any{"scp": nil, "scope": "oauth:clients:read offline"}, scopes: []string{auth.ScopeRead}},
			"with scope_claim both":   {claims: map[string]any{"scp": []string{auth.ScopeRead}, "scope": auth.ScopeRead}, scopes: []string{auth.ScopeRead}},
			"two that differ":         {claims: map[string]any{"scope": auth.ScopeRead}, scopes: []string{auth.ScopeRead}},
			"without an audience":     {claims: map[string]any{"aud": []string{}}, refused: "the access token is meant for another audience (claim aud)"},
		},
	},
	"Amazon Cognito": {
		scopes: readAndManage, organisation: auth.DefaultOrganisation, without: refused("the access token names no audience (claim aud)"),
		others: map[string]other{
			"of another app client": {claims: map[string]any{"client_id": "2example"}, refused: "the access token is meant for another audience (claim client_id)"},
			"an ID token": {
				claims:  map[string]any{"client_id": nil, "aud": "1example23456789", "token_use": "id"},
				refused: "the access token names no audience (claim client_id)",
			},
			"with one scope": {claims: map[string]any{"scope": "clients/read openid"}, scopes: []string{auth.ScopeRead}},
		},
	},
	"GitHub Actions": {
		scopes: []string{auth.ScopeRead, auth.ScopeRotate}, without: noScope,
		others: map[string]other{
			"of another environment": {claims: map[string]any{"sub": "repo:octo-org/octo-repo:environment:dev"}},
			"of a longer name":       {claims: map[string]any{"sub": "repo:octo-org/octo-repo:environment:production"}},
			"of another repository":  {claims: map[string]any{"sub": "repo:evil/octo-repo:environment:prod"}},
			"of an environment that was named to be split": {
				claims: map[string]any{"sub": "repo:evil/evil:environment:x repo:octo-org/octo-repo:environment:prod"},
			},
			"with the scope in it": {claims: map[string]any{"sub": auth.ScopeManage, "scope": auth.ScopeManage}},
			"for the default audience": {
				claims: map[string]any{"aud": "https://github.com/octo-org"}, refused: "the access token is meant for another audience (claim aud)",
			},
		},
	},
}

func TestDocs_EachIssuerIsTried(t *testing.T) {
	var described, tried []string
	for title := range readRecipes(t) {
		described = append(described, title)
	}
	for title := range vendors {
		tried = append(tried, title)
	}
	slices.Sort(described)
	slices.Sort(tried)
	if diff := cmp.Diff(described, tried); diff != "" {
		t.Errorf("issuers on the page and in the test (-page +test):\n%s", diff)
	}
}

func TestDocs_FollowedAsWritten(t *testing.T) {
	for title, r := range readRecipes(t) {
		t.Run(title, func(t *testing.T) {
			want := vendors[title]
			id, _ := r.header["kid"].(string)
			key := authtest.NewKey(t, id)
			issuer := r.issuerOf(t, key)
			flags := slices.Clone(r.flags)
			for i := range flags {
				flags[i] = strings.ReplaceAll(flags[i], r.issuer.String(), issuer.URL)
			}
			s := serve(t, flags...)
			token := r.sign(t, issuer, key, nil)
			if got := scopesOf(t, s, token); !slices.Equal(got, want.scopes) {
				t.Errorf("got the scopes %v, want %v", got, want.scopes)
			}
			if want.organisation != "" {
				if got := organisationOf(t, s, token); got != want.organisation {
					t.Errorf("got the organisation %s, want %s", got, want.organisation)
				}
			}
			for name, other := range want.others {
				token := r.sign(t, issuer, key, other.claims)
				if other.refused != "" {
					wantAnswer(t, s, token, refused(other.refused))
				} else if got := scopesOf(t, s, token); !slices.Equal(got, other.scopes) {
					t.Errorf("a token %s: got the scopes %v, want %v", name, got, other.scopes)
				}
			}

			bare := serve(t, "--issuer", issuer.URL, "--audience", flags[slices.Index(flags, "--audience")+1])
			wantAnswer(t, bare, token, want.without)
		})
	}
}
