package command_test

import (
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/command"
)

const one, two = "https://one.example.com/realms/a:b", "https://two.example.com/"

// parseServe reads flags as the command line does.
func parseServe(t *testing.T, flags ...string) command.Serve {
	t.Helper()
	var line command.Serve
	parser, err := kong.New(&line, kong.DefaultEnvars("CLIENTSD"), command.WithDays())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return line
}

// format is an issuer of that name and that format.
func format(url string, f auth.TokenFormat, audiences ...string) server.TrustedIssuer {
	return server.TrustedIssuer{URL: url, Audiences: audiences, Format: f}
}

func TestServe_IssuerFlags(t *testing.T) {
	type scopes = map[string][]string
	both := []string{"--issuer", one, "--issuer", two, "--audience", "all"}
	for name, tt := range map[string]struct {
		flags []string
		want  []server.TrustedIssuer
	}{
		"one audience for all": {
			both, []server.TrustedIssuer{format(one, auth.TokenFormat{}, "all"), format(two, auth.TokenFormat{}, "all")},
		},
		"several audiences, and one issuer's own": {
			append(both, "--audience", "too", "--audience", two+"=a=b"),
			[]server.TrustedIssuer{format(one, auth.TokenFormat{}, "all", "too"), format(two, auth.TokenFormat{}, "a=b")},
		},
		"audiences of each": {
			[]string{"--issuer", one, "--issuer", two, "--audience", one + "=x," + two + "=y,z"},
			[]server.TrustedIssuer{format(one, auth.TokenFormat{}, "x"), format(two, auth.TokenFormat{}, "y", "z")},
		},
		"claims": {
			append(both, "--scope-claim", "roles", "--scope-claim", one+"=permissions", "--organisation-claim", two+"=org_id",
				"--audience-claim", one+"=client_id"),
			[]server.TrustedIssuer{
				format(one, auth.TokenFormat{ScopeClaim: "permissions", AudienceClaim: "client_id"}, "all"),
				format(two, auth.TokenFormat{ScopeClaim: "roles", OrganisationClaim: "org_id"}, "all"),
			},
		},
		"algorithms after one issuer's are its own": {
			append(both, "--token-algorithms", one+"=ES256,EdDSA", "--token-algorithms", "PS256"),
			[]server.TrustedIssuer{
				format(one, auth.TokenFormat{Algorithms: []string{"ES256", "EdDSA"}}, "all"),
				format(two, auth.TokenFormat{Algorithms: []string{"PS256"}}, "all"),
			},
		},
		"a type": {
			append(both, "--require-token-type", two+"=at+jwt"),
			[]server.TrustedIssuer{format(one, auth.TokenFormat{}, "all"), format(two, auth.TokenFormat{RequireAccessTokenType: true}, "all")},
		},
		"a map for one issuer takes the place of that for all": {
			append(both, "--scope-map", "reader=oauth:clients:read", "--scope-map", one+"=writer=oauth:clients:manage,writer=oauth:clients:read"),
			[]server.TrustedIssuer{
				format(one, auth.TokenFormat{ScopeMap: scopes{"writer": {"oauth:clients:manage", "oauth:clients:read"}}}, "all"),
				format(two, auth.TokenFormat{ScopeMap: scopes{"reader": {"oauth:clients:read"}}}, "all"),
			},
		},
		"what an issuer calls a scope may be much": {
			append(both, "--scope-map", two+`=repo:a/b:ref:refs/heads/main=admin,https://api.example.com/read=oauth:clients:read,CN=Ops\,DC=x=admin`),
			[]server.TrustedIssuer{
				format(one, auth.TokenFormat{ScopeMap: nil}, "all"),
				format(two, auth.TokenFormat{ScopeMap: scopes{
					"repo:a/b:ref:refs/heads/main": {"admin"},
					"https://api.example.com/read": {"oauth:clients:read"},
					"CN=Ops,DC=x":                  {"admin"},
				}}, "all"),
			},
		},
		"a scope that is a URL, for all": {
			append(both, "--scope-map", "https://api.example.com/read=oauth:clients:read"),
			[]server.TrustedIssuer{
				format(one, auth.TokenFormat{ScopeMap: scopes{"https://api.example.com/read": {"oauth:clients:read"}}}, "all"),
				format(two, auth.TokenFormat{ScopeMap: scopes{"https://api.example.com/read": {"oauth:clients:read"}}}, "all"),
			},
		},
		"where the keys are": {
			append(both, "--jwks-url", "https://a.example.com/keys", "--jwks-url", "https://b.example.com/keys?appid=1"),
			[]server.TrustedIssuer{
				{URL: one, JWKSURL: "https://a.example.com/keys", Audiences: []string{"all"}},
				{URL: two, JWKSURL: "https://b.example.com/keys?appid=1", Audiences: []string{"all"}},
			},
		},
		"of two issuers that begin alike the longer one": {
			[]string{"--issuer", "https://a.example.com", "--issuer", "https://a.example.com=b", "--audience", "https://a.example.com=b=c"},
			[]server.TrustedIssuer{format("https://a.example.com", auth.TokenFormat{}), format("https://a.example.com=b", auth.TokenFormat{}, "c")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, audience, err := command.Trusted(parseServe(t, tt.flags...))
			if err != nil || audience != "" {
				t.Fatalf("got audience %q, error %v", audience, err)
			}
			for i := range got {
				if len(got[i].Format.ScopeMap) == 0 {
					got[i].Format.ScopeMap = nil
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("issuers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServe_IssuerFlagsFromTheEnvironment(t *testing.T) {
	t.Setenv("CLIENTSD_ISSUER", one+","+two)
	t.Setenv("CLIENTSD_AUDIENCE", "all")
	t.Setenv("CLIENTSD_TOKEN_ALGORITHMS", one+"=ES256,RS256,"+two+"=EdDSA")
	t.Setenv("CLIENTSD_SCOPE_MAP", "a=oauth:clients:read,b=oauth:clients:manage")
	got, _, err := command.Trusted(parseServe(t))
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[string][]string{"a": {"oauth:clients:read"}, "b": {"oauth:clients:manage"}}
	want := []server.TrustedIssuer{
		format(one, auth.TokenFormat{Algorithms: []string{"ES256", "RS256"}, ScopeMap: scopes}, "all"),
		format(two, auth.TokenFormat{Algorithms: []string{"EdDSA"}, ScopeMap: scopes}, "all"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("issuers (-want +got):\n%s", diff)
	}
}

func TestServe_BuiltInIssuer(t *testing.T) {
	for _, want := range []string{"", "clients", "https://a.example.com/?a=b"} {
		flags := []string{"--audience", want}
		if want == "" {
			flags = nil
		}
		if issuers, got, err := command.Trusted(parseServe(t, flags...)); err != nil || got != want || issuers != nil {
			t.Errorf("got %v, audience %q, error %v", issuers, got, err)
		}
	}
}

// A flag that is not understood must not even make files.
func TestServe_RefusesIssuerFlags(t *testing.T) {
	both := []string{"--issuer", one, "--issuer", two, "--audience", "all"}
	which := " is not one of --issuer, which are " + one + ", " + two
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"an issuer without its last slash": {
			append(both, "--scope-claim", "https://two.example.com=roles"),
			`--scope-claim "https://two.example.com=roles": https://two.example.com` + which,
		},
		"a claim of an issuer that is no URL": {
			append(both, "--organisation-claim", "two.example.com=org"), `--organisation-claim "two.example.com=org": two.example.com` + which,
		},
		"an audience of another issuer": {
			append(both, "--audience", "https://three.example.com=x"), `--audience "https://three.example.com=x": https://three.example.com` + which,
		},
		"a map of another issuer": {
			append(both, "--scope-map", "https://three.example.com=a=admin"),
			`--scope-map "https://three.example.com=a=admin": https://three.example.com` + which,
		},
		"algorithms of another issuer": {
			append(both, "--token-algorithms", "RS256,https://three.example.com=ES256"),
			`--token-algorithms "https://three.example.com=ES256": https://three.example.com` + which,
		},
		"two scope claims": {
			append(both, "--scope-claim", "scope,roles"), "--scope-claim: there is one for each issuer only, not scope and roles",
		},
		"a map without a scope": {
			append(both, "--scope-map", "reader"), `--scope-map: "reader": must be FROM=TO, such as clients.write=oauth:clients:manage`,
		},
		"a map from nothing": {
			append(both, "--scope-map", "=admin"), `--scope-map: "=admin": must be FROM=TO, such as clients.write=oauth:clients:manage`,
		},
		"a map to nothing": {
			append(both, "--scope-map", "a="), `--scope-map: "a=": must be FROM=TO, such as clients.write=oauth:clients:manage`,
		},
		"a map of an issuer alone": {
			append(both, "--scope-map", one+"=admin"), `--scope-map: "admin": must be FROM=TO, such as clients.write=oauth:clients:manage`,
		},
		"an issuer and nothing": {
			append(both, "--scope-claim", one+"="), `--scope-claim "` + one + `=": must not be empty`,
		},
		"two commas": {
			append(both, "--token-algorithms", "RS256,,ES256"), `--token-algorithms "": must not be empty`,
		},
		"another type of token": {
			append(both, "--require-token-type", "JWT"), `--require-token-type: "JWT": must be at+jwt, the type of an access token`,
		},
		"several flags at a time": {
			append(both, "--scope-map", "a", "--require-token-type", "JWT"),
			`--scope-map: "a": must be FROM=TO, such as clients.write=oauth:clients:manage` + "\n" +
				`--require-token-type: "JWT": must be at+jwt, the type of an access token`,
		},
		"more issuers than places of keys": {
			append(both, "--jwks-url", "https://a.example.com"), "--jwks-url: 1 given for 2 issuers; give one for each --issuer, in the same order, or none",
		},
		"a place of keys without an issuer": {[]string{"--jwks-url", "https://a.example.com"}, "--jwks-url: needs --issuer"},
		"a claim of the built-in issuer": {
			[]string{"--scope-claim", "roles"}, "--scope-claim: needs --issuer; what the tokens of the built-in issuer look like is known",
		},
		"two audiences of the built-in issuer": {
			[]string{"--audience", "a", "--audience", "b"}, "--audience: the built-in issuer has one only",
		},
		"an algorithm that there is not": {
			append(both, "--token-algorithms", "HS256"), `--token-algorithms "HS256": must be one of RS256, ES256, PS256, EdDSA`,
		},
		"a scope that there is not": {
			append(both, "--scope-map", one+"=a=oauth:client:read"),
			`--scope-map "a=oauth:client:read": there is no scope "oauth:client:read", did you mean oauth:clients:read?`,
		},
		"who somebody is, as a scope": {
			append(both, "--scope-claim", "sub", "--scope-map", one+"=me=admin"),
			"--scope-claim sub: says who the caller is, not what it may do; --scope-map must say for each of the callers of " + two + " which scope it has",
		},
		"an issuer over plain HTTP": {
			[]string{"--issuer", "http://login.example.com", "--audience", "x"},
			`--issuer http://login.example.com: "http://login.example.com" is neither https nor http to a loopback host`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			line := parseServe(t, append(tt.flags, "--addr", "127.0.0.1:0", "--data-dir", dir)...)
			if _, err := said(t, line.Run); err == nil || err.Error() != tt.want {
				t.Errorf("got error  %v\nwant error %s", err, tt.want)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("got files %v, error %v", files, err)
			}
		})
	}
}

// The names of the flags that the page about issuers explains are those of serve.
func TestServe_IssuerFlagsAreOnTheirPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	var line command.Serve
	parser, err := kong.New(&line)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, flag := range parser.Model.Flags {
		if strings.HasPrefix(flag.PlaceHolder, "[ISSUER=]") {
			found++
			if row := "| `--" + flag.Name + " " + flag.PlaceHolder + "` |"; !strings.Contains(string(page), row) {
				t.Errorf("docs/issuers.md lacks %s", row)
			}
		}
	}
	if found != 7 {
		t.Errorf("got %d flags for each issuer", found)
	}
}
