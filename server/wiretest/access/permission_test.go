package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

// permissions is the contract: who may do what. A method without a row here
// fails the test, and so does a row without a method.
var permissions = map[string]permission{
	"ClientsService/RegenerateSecret":                    needs(servertest.ScopeManage).or(servertest.ScopeRotate),
	"ClientsService/RegenerateSecret with includeSecret": needs(servertest.ScopeManage).or(servertest.ScopeRotate),
	"ClientsService/CreateClient":                        needs(servertest.ScopeManage).naming(nobody),
	"ClientsService/GetClient":                           needs(servertest.ScopeRead),
	"ClientsService/GetClient with includeSecret":        needs(servertest.ScopeRead, servertest.ScopeManage),
	"ClientsService/ListClients":                         needs(servertest.ScopeRead).naming(nobody),
	"ClientsService/UpdateClient":                        needs(servertest.ScopeManage),
	"ClientsService/DeleteClient":                        needs(servertest.ScopeManage),
	"ClientsService/UploadClientLogo":                    needs(servertest.ScopeManage),
	"ClientsService/GetPublicClients":                    anyone(),
	"SecretsService/VerifySecret":                        needs(servertest.ScopeVerify).naming(nobodyForSure),
	"SecretsService/FindSecret":                          needs(servertest.ScopeRead, servertest.ScopeVerify).naming(oneSecret),
	"SecretsService/RevokePreviousSecret":                needs(servertest.ScopeManage),
	"SecretsService/ListClientEvents":                    needs(servertest.ScopeRead).naming(nobodyForSure),
}

// permission says who may do something.
type permission struct {
	public bool
	scopes []string // all of them
	enough string   // a smaller one that does instead of all of them, if there is one
	names  named
}

// named says how an operation answers about a client the caller cannot see.
type named int

const (
	oneClient     named = iota // not_found
	nobody                     // the operation names no client
	nobodyForSure              // as about a client with another secret
	oneSecret                  // not_found, of the secret
)

func needs(scopes ...string) permission { return permission{scopes: scopes} }

func (p permission) or(scope string) permission {
	p.enough = scope
	return p
}

func anyone() permission { return permission{public: true, names: nobodyForSure} }

func (p permission) naming(n named) permission {
	p.names = n
	return p
}

// caller is who calls, and with what.
type caller struct {
	name    string
	token   string
	refused string   // why the token is, if it is
	grants  []string // the scopes it has
	foreign bool     // of another organisation than the client
}

func (p permission) answer(c caller) servertest.CallError {
	if p.public {
		return servertest.CallError{}
	}
	if c.refused != "" {
		return servertest.Unauthenticated(c.token, c.refused)
	}
	if denied := p.denied(c.grants...); denied != (servertest.CallError{}) {
		return denied
	}
	switch {
	case c.foreign && p.names == oneClient:
		return servertest.CallError{Code: connect.CodeNotFound, Message: "client not found"}
	case c.foreign && p.names == oneSecret:
		return servertest.CallError{Code: connect.CodeNotFound, Message: "secret not found: no client of the organisation is on record with it"}
	}
	return servertest.CallError{}
}

// denied returns the error of a caller that has these scopes, or none if they do.
func (p permission) denied(grants ...string) servertest.CallError {
	missing := slices.DeleteFunc(slices.Clone(p.scopes), func(scope string) bool { return slices.Contains(grants, scope) })
	switch {
	case len(missing) == 0 || slices.Contains(grants, p.enough):
		return servertest.CallError{}
	case p.enough != "":
		return servertest.Denied(p.enough, p.scopes[0])
	default:
		return servertest.DeniedFor([]string{strings.Join(missing, " ")}, strings.Join(p.scopes, " "))
	}
}

// ahead is how far the clock of the server is ahead of the issuer's, so that a
// token can be fresh and expired.
const ahead = 2 * time.Hour

func TestPermissions_OfEveryMethod(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.Clock = func() time.Time { return time.Now().Add(ahead) } })
	callers := callersOf(t, s)
	owner := callers[len(callers)-1]
	bystander := s.CreateAs(t, owner.token, servertest.Request())
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		for _, o := range servertest.Operations(t) {
			for _, c := range callers {
				want := permissions[o.String()].answer(c)
				client := bystander
				if want == (servertest.CallError{}) && !c.foreign {
					client = s.CreateAs(t, owner.token, servertest.Request())
				}
				_, err := s.Call(t.Context(), protocol, c.token, o.Method, o.Request(t, client.GetClientId(), client.GetClientSecret()))
				if diff := cmp.Diff(want, servertest.CallErrorOf(err)); diff != "" {
					t.Errorf("%s by a caller with %s (-want +got):\n%s", o, c.name, diff)
				}
			}
		}
	})
	wantUntouched(t, s, owner.token, bystander)
}

func TestPermissions_TableHasEveryMethod(t *testing.T) {
	t.Parallel()
	unused := map[string]bool{}
	for name := range permissions {
		unused[name] = true
	}
	for _, o := range servertest.Operations(t) {
		if !unused[o.String()] {
			t.Errorf("%s: the table says nothing about it", o)
		}
		delete(unused, o.String())
	}
	for name := range unused {
		t.Errorf("%s: there is no such operation", name)
	}
}

// callersOf are those of the tests: without a good token, and with every kind
// of scopes in either organisation. The last may do everything.
func callersOf(t *testing.T, s *servertest.Server) []caller {
	t.Helper()
	const day = 24 * time.Hour
	good := issuer.Grant{Scopes: []string{servertest.ScopeManage, servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}, TTL: day}
	expired, elsewhere := good, good
	expired.TTL = ahead / 2
	elsewhere.Audience = "another-service"
	callers := []caller{
		{name: "no token", refused: "the request carries no access token"},
		{name: "garbage", token: "garbage", refused: "the access token is not a well-formed signed JWT"},
		{name: "an expired token", token: s.Mint(t, expired), refused: "the access token has expired"},
		{name: "a token for another service", token: s.Mint(t, elsewhere), refused: "the access token is meant for another audience (claim aud)"},
	}
	for _, organisation := range []string{"other", ""} {
		for _, scopes := range scopeSets {
			callers = append(callers, caller{
				name:    fmt.Sprintf("%s in organisation %q", scopes.name, organisation),
				token:   s.Mint(t, issuer.Grant{Scopes: scopes.claim, Organisation: organisation, TTL: day}),
				grants:  scopes.grants,
				foreign: organisation != "",
			})
		}
	}
	return callers
}

// scopeSets are what the scope claim of a token holds and which scopes it
// grants. The last grants all of them.
var scopeSets = []struct {
	name          string
	claim, grants []string
}{
	{"no scope", nil, nil},
	{"manage only", []string{servertest.ScopeManage}, []string{servertest.ScopeManage}},
	{"read only", []string{servertest.ScopeRead}, []string{servertest.ScopeRead}},
	{"verify only", []string{servertest.ScopeVerify}, []string{servertest.ScopeVerify}},
	{"rotate only", []string{servertest.ScopeRotate}, []string{servertest.ScopeRotate}},
	{"admin only", []string{servertest.ScopeAdmin}, []string{servertest.ScopeAdmin}},
	{"all but manage", []string{servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}, []string{servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}},
	{"all but read", []string{servertest.ScopeManage, servertest.ScopeVerify, servertest.ScopeAdmin}, []string{servertest.ScopeManage, servertest.ScopeVerify, servertest.ScopeAdmin}},
	{"scopes that go on", []string{servertest.ScopeManage + "2", servertest.ScopeRead + ":all", servertest.ScopeVerify + "."}, nil},
	{"scopes that stop early", []string{"oauth:clients", "oauth:clients:", "oauth"}, nil},
	{"scopes in capitals", []string{"OAUTH:CLIENTS:MANAGE", "Oauth:Clients:Read", "oauth:clients:Verify"}, nil},
	{"wildcards", []string{"*", "oauth:*", "oauth:clients:*"}, nil},
	{"scopes between commas", []string{servertest.ScopeManage + "," + servertest.ScopeRead + "," + servertest.ScopeVerify}, nil},
	{"scopes between tabs", []string{servertest.ScopeManage + "\t" + servertest.ScopeRead + "\n" + servertest.ScopeVerify}, nil},
	{"all scopes and two spaces between them", []string{servertest.ScopeManage, "", servertest.ScopeRead, "", servertest.ScopeVerify, "", servertest.ScopeAdmin}, []string{servertest.ScopeManage, servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin}},
}

// wantUntouched fails the test unless the client and its secret are as they were.
func wantUntouched(t *testing.T, s *servertest.Server, token string, before *apiv1.Client) {
	t.Helper()
	got, err := s.Clients(servertest.ConnectJSON, token).GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: before.GetClientId(), IncludeSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, got.GetClient(), protocmp.Transform()); diff != "" {
		t.Errorf("calls that were refused changed the client (-before +now):\n%s", diff)
	}
	verdict, err := s.Secrets(servertest.ConnectJSON, token).VerifySecret(t.Context(),
		&clientsdv1.VerifySecretRequest{ClientId: before.GetClientId(), Secret: before.GetClientSecret()})
	if err != nil || verdict.GetSecretVersion() != 1 {
		t.Errorf("got %v and error %v: calls that were refused rotated the secret", verdict, err)
	}
}
