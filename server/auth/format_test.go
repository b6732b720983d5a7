package auth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

// every is a name of a scope for each thing that is asked of a principal below.
var every = []string{"a", "b", "c", "a b", "", "read", "write", auth.ScopeRead, auth.ScopeManage}

// scopesOf are the scopes of every that a principal has.
func scopesOf(p *auth.Principal) (found []string) {
	for _, scope := range every {
		if p.HasScope(scope) {
			found = append(found, scope)
		}
	}
	return found
}

// newFormatVerifier trusts the trusted key, for tokens of that format.
func newFormatVerifier(t *testing.T, format auth.TokenFormat) *auth.Verifier {
	t.Helper()
	cfg := newConfig(t)
	cfg.Issuers[0].Format = format
	return newVerifier(t, cfg)
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func TestTokenFormat_Scopes(t *testing.T) {
	t.Parallel()
	roles := auth.TokenFormat{ScopeClaim: "roles"}
	mapped := auth.TokenFormat{ScopeMap: map[string][]string{"read": {auth.ScopeRead}, "write": {auth.ScopeRead, auth.ScopeManage}}}
	subject := auth.TokenFormat{ScopeClaim: "sub", ScopeMap: map[string][]string{"a": {auth.ScopeManage}, "a b": {auth.ScopeRead}}}
	for name, tt := range map[string]struct {
		format  auth.TokenFormat
		claims  map[string]any
		want    []string
		refused string
	}{
		"a string":                            {claims: map[string]any{"scope": "a c"}, want: []string{"a", "c"}},
		"a string with many spaces":           {claims: map[string]any{"scope": "  a   b "}, want: []string{"a", "b"}},
		"a string with a tab":                 {claims: map[string]any{"scope": "a\tb c"}, want: []string{"c"}},
		"a list":                              {claims: map[string]any{"scope": []string{"a", "b"}}, want: []string{"a", "b"}},
		"a list is not split":                 {claims: map[string]any{"scope": []string{"a b"}}, want: []string{"a b"}},
		"nothing in a list":                   {claims: map[string]any{"scope": []string{""}}},
		"scp is a string":                     {claims: map[string]any{"scp": "a b"}, want: []string{"a", "b"}},
		"scp is a list":                       {claims: map[string]any{"scp": []string{"a", "b"}}, want: []string{"a", "b"}},
		"scope comes before scp":              {claims: map[string]any{"scope": "a", "scp": "b"}, want: []string{"a"}},
		"an empty scope, too":                 {claims: map[string]any{"scope": "", "scp": "b"}},
		"an empty list, too":                  {claims: map[string]any{"scope": []string{}, "scp": "b"}},
		"null is no scope":                    {claims: map[string]any{"scope": raw("null"), "scp": "b"}, want: []string{"b"}},
		"neither":                             {claims: map[string]any{"roles": []string{"a"}, "permissions": []string{"b"}}},
		"null in a list":                      {claims: map[string]any{"scope": raw(`["a", null]`)}, refused: "the claim scope of the access token is neither a string nor a list of strings"},
		"a list in a list":                    {claims: map[string]any{"scp": raw(`[["a"]]`)}, refused: "the claim scp of the access token is neither a string nor a list of strings"},
		"true":                                {claims: map[string]any{"scope": true}, refused: "the claim scope of the access token is neither a string nor a list of strings"},
		"an object, where none is expected":   {claims: map[string]any{"scp": map[string]any{"a": 1}}, refused: "the claim scp of the access token is neither a string nor a list of strings"},
		"a claim of one's own":                {roles, map[string]any{"roles": []string{"a", "b"}, "scope": "c"}, []string{"a", "b"}, ""},
		"a claim of one's own is absent":      {roles, map[string]any{"scope": "c", "scp": "b"}, nil, ""},
		"one string in it":                    {roles, map[string]any{"roles": "a"}, []string{"a"}, ""},
		"one string in it is not split":       {roles, map[string]any{"roles": "a b"}, []string{"a b"}, ""},
		"an object in it":                     {roles, map[string]any{"roles": raw(`{"a": {"1": "x"}, "b": 1, "c": false, "read": null, "write": ""}`)}, []string{"a", "b", "write"}, ""},
		"an object that names a member twice": {roles, map[string]any{"roles": raw(`{"a": false, "a": true}`)}, nil, "the claim roles of the access token is neither a string nor a list of strings"},
		"a number in it":                      {roles, map[string]any{"roles": 1}, nil, "the claim roles of the access token is neither a string nor a list of strings"},
		"its name in capitals":                {roles, map[string]any{"Roles": []string{"a"}}, nil, ""},
		"scope, if it is asked for, is split": {auth.TokenFormat{ScopeClaim: "scope"}, map[string]any{"scope": "a b", "scp": "c"}, []string{"a", "b"}, ""},
		"scp alone":                           {auth.TokenFormat{ScopeClaim: "scp"}, map[string]any{"scope": "a", "scp": "b c"}, []string{"b", "c"}, ""},
		"a name with dots is one name":        {auth.TokenFormat{ScopeClaim: "realm_access.roles"}, map[string]any{"realm_access": map[string]any{"roles": []string{"a"}}, "realm_access.roles": "b"}, []string{"b"}, ""},
		"mapped":                              {mapped, map[string]any{"scope": "read"}, []string{auth.ScopeRead}, ""},
		"mapped to two":                       {mapped, map[string]any{"scope": "write"}, []string{auth.ScopeRead, auth.ScopeManage}, ""},
		"with a map nothing else counts":      {mapped, map[string]any{"scope": "a " + auth.ScopeManage}, nil, ""},
		"a map is exact":                      {mapped, map[string]any{"scope": "READ read: reader rea read/x"}, nil, ""},
		"a map of who somebody is":            {subject, map[string]any{"sub": "a b", "scope": auth.ScopeManage}, []string{auth.ScopeRead}, ""},
		"a map of nobody":                     {subject, map[string]any{"sub": "a c"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := newFormatVerifier(t, tt.format).Verify(t.Context(), goodToken(t, tt.claims))
			if tt.refused != "" {
				wantTokenError(t, p, err, tt.refused)
				return
			}
			if err != nil {
				t.Fatalf("Verify: %v", err)
			}
			if got := scopesOf(p); !slices.Equal(got, tt.want) {
				t.Errorf("got the scopes %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTokenFormat_AudienceAndOrganisation(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	cfg.Issuers[0].Audiences = []string{"one", "two"}
	cfg.Issuers[0].Format = auth.TokenFormat{AudienceClaim: "client_id", OrganisationClaim: "org_id"}
	verifier := newVerifier(t, cfg)
	for name, tt := range map[string]struct {
		claims       map[string]any
		organisation string
		refused      string
	}{
		"the claims that were asked for":   {map[string]any{"client_id": "two", "org_id": "o1"}, "o1", ""},
		"no organisation is the default":   {map[string]any{"client_id": "one"}, auth.DefaultOrganisation, ""},
		"the usual organisation is none":   {map[string]any{"client_id": "one", organisationClaim: "acme", "org_id": nil}, auth.DefaultOrganisation, ""},
		"another audience":                 {map[string]any{"client_id": "three", "aud": "one"}, "", "the access token is meant for another audience (claim client_id)"},
		"the audience of the others":       {map[string]any{"client_id": audience}, "", "the access token is meant for another audience (claim client_id)"},
		"no audience":                      {map[string]any{"client_id": nil, "aud": "one"}, "", "the access token names no audience (claim client_id)"},
		"an audience that is null":         {map[string]any{"client_id": raw("null"), "aud": "one"}, "", "the access token names no audience (claim client_id)"},
		"an organisation that is a number": {map[string]any{"client_id": "one", "org_id": 1}, "", "the claim org_id of the access token is not a string"},
		"an organisation that is a list":   {map[string]any{"client_id": "one", "org_id": []string{"o1"}}, "", "the claim org_id of the access token is not a string"},
		"an empty organisation":            {map[string]any{"client_id": "one", "org_id": ""}, "", "the access token names no usable organisation (claim org_id)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := verifier.Verify(t.Context(), goodToken(t, tt.claims))
			if tt.refused != "" {
				wantTokenError(t, p, err, tt.refused)
			} else if err != nil || p.Organisation != tt.organisation {
				t.Errorf("got %+v, error %v, want the organisation %s", p, err, tt.organisation)
			}
		})
	}
}

func TestTokenFormat_Algorithms(t *testing.T) {
	t.Parallel()
	keys := []authtest.Key{
		trustedKey(t), authtest.NewES256Key(t, "es"), authtest.NewPS256Key(t, "ps"), authtest.NewEdDSAKey(t, "ed"),
	}
	for _, accepted := range keys {
		cfg := newConfig(t)
		cfg.Issuers[0].Key = keysOf(keys...)
		cfg.Issuers[0].Format.Algorithms = []string{accepted.Algorithm()}
		verifier := newVerifier(t, cfg)
		for _, key := range keys {
			p, err := verifier.Verify(t.Context(), key.Sign(t, goodClaims(nil), nil))
			if key.ID != accepted.ID {
				wantTokenError(t, p, err, "the access token is not signed with "+accepted.Algorithm())
			} else if err != nil {
				t.Errorf("%s: %v", key.Algorithm(), err)
			}
			if key.ID == accepted.ID {
				continue
			}
			// The key decides, not what the header says.
			want := "the access token is signed with a key of its issuer that is not accepted"
			if key.Private != nil && accepted.Private != nil { // one kind of key, two algorithms
				want = "the signature of the access token is wrong"
			}
			p, err = verifier.Verify(t.Context(), key.Sign(t, goodClaims(nil), map[string]any{"alg": accepted.Algorithm()}))
			wantTokenError(t, p, err, want)
			p, err = verifier.Verify(t.Context(), key.Sign(t, goodClaims(nil), map[string]any{"kid": accepted.ID, "alg": accepted.Algorithm()}))
			wantTokenError(t, p, err, "the signature of the access token is wrong")
		}
	}
	cfg := newConfig(t)
	cfg.Issuers[0].Format.Algorithms = auth.Algorithms()
	p, err := newVerifier(t, cfg).Verify(t.Context(), trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"alg": "HS256"}))
	wantTokenError(t, p, err, "the access token is not signed with RS256, ES256, PS256 or EdDSA")
}

func TestTokenFormat_RequireAccessTokenType(t *testing.T) {
	t.Parallel()
	verifier := newFormatVerifier(t, auth.TokenFormat{RequireAccessTokenType: true})
	for typ, accepted := range map[string]bool{"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "JWT": false, "": false} {
		p, err := verifier.Verify(t.Context(), trustedKey(t).Sign(t, goodClaims(nil), map[string]any{"typ": typ}))
		if accepted && err != nil {
			t.Errorf("%q: %v", typ, err)
		}
		if !accepted {
			wantTokenError(t, p, err, "the header of the access token does not say that it is one (typ at+jwt)")
		}
	}
}

func TestTokenFormat_Validate(t *testing.T) {
	t.Parallel()
	for want, format := range map[string]auth.TokenFormat{
		"": {},
		`signature algorithm "HS256" is not one of RS256, ES256, PS256 or EdDSA`:                                                                {Algorithms: []string{"RS256", "HS256"}},
		`signature algorithm "none" is not one of RS256, ES256, PS256 or EdDSA`:                                                                 {Algorithms: []string{"none"}},
		"the claim sub says who the caller is: only a map makes scopes of it":                                                                   {ScopeClaim: "sub"},
		"the claim azp says who the caller is: only a map makes scopes of it":                                                                   {ScopeClaim: "azp"},
		`claim "a b": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`:                              {ScopeClaim: "a b"},
		`claim "a\"": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`:                              {AudienceClaim: `a"`},
		`claim "a\\": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`:                              {OrganisationClaim: `a\`},
		`claim "é": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`:                                {OrganisationClaim: "é"},
		`claim "` + strings.Repeat("x", 257) + `": must be the name of a claim: up to 256 printable ASCII characters without spaces and quotes`: {OrganisationClaim: strings.Repeat("x", 257)},
	} {
		got := ""
		if err := format.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		cfg := newConfig(t)
		cfg.Issuers[0].Format = format
		if _, err := auth.NewVerifier(cfg); (err == nil) != (want == "") {
			t.Errorf("NewVerifier: got error %v, want %s", err, want)
		}
	}
}

// A token that is remembered is that of its issuer, with what that issuer grants.
func TestVerify_TwoIssuersOfDifferentFormats(t *testing.T) {
	t.Parallel()
	const second = "https://second.example.com"
	cfg := newConfig(t)
	cfg.Issuers[0].Format = auth.TokenFormat{ScopeClaim: "roles"}
	cfg.Issuers = append(cfg.Issuers, auth.Issuer{
		Name: second, Key: keysOf(rogueKey(t)), Audiences: []string{"two"},
		Format: auth.TokenFormat{ScopeMap: map[string][]string{"a": {"b"}}, OrganisationClaim: "org"},
	})
	verifier := newVerifier(t, cfg)
	claims := map[string]any{"scope": "a", "roles": []string{"c"}, "org": "two", "aud": []string{audience, "two"}}
	first := goodToken(t, claims)
	other := rogueKey(t).Sign(t, goodClaims(authtest.With(claims, map[string]any{"iss": second})), nil)
	for range 3 { // the second time from memory
		for token, want := range map[string]struct {
			scope, organisation string
		}{first: {"c", "acme"}, other: {"b", "two"}} {
			p, err := verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if got := scopesOf(p); !slices.Equal(got, []string{want.scope}) || p.Organisation != want.organisation {
				t.Errorf("got the scopes %q and the organisation %s, want %+v", got, p.Organisation, want)
			}
		}
	}
	p, err := verifier.Verify(t.Context(), rogueKey(t).Sign(t, goodClaims(map[string]any{"iss": second}), nil))
	wantTokenError(t, p, err, wrongAudience)
}
