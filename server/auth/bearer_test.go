package auth_test

import (
	"net/http"
	"testing"

	"clientsd/server/auth"
)

const notOneToken = "the Authorization header does not hold one bearer token"

func TestBearerToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []string
		want   string
		err    string
	}{
		"no header":                          {nil, "", "the request carries no access token"},
		"an empty header":                    {[]string{""}, "", "the request carries no access token"},
		"another scheme":                     {[]string{"Basic dXNlcjpwYXNz"}, "", "the request carries no access token"},
		"a token without a scheme":           {[]string{"eyJ.e30.AA"}, "", "the request carries no access token"},
		"a scheme that only starts well":     {[]string{"BearerX eyJ.e30.AA"}, "", "the request carries no access token"},
		"one token":                          {[]string{"Bearer eyJ.e30.AA"}, "eyJ.e30.AA", ""},
		"the scheme in small letters":        {[]string{"bearer eyJ.e30.AA"}, "eyJ.e30.AA", ""},
		"several spaces":                     {[]string{"Bearer   eyJ.e30.AA"}, "eyJ.e30.AA", ""},
		"every character a token may have":   {[]string{"Bearer aZ09-._~+/=="}, "aZ09-._~+/==", ""},
		"the scheme alone":                   {[]string{"Bearer"}, "", notOneToken},
		"the scheme and a space":             {[]string{"Bearer "}, "", notOneToken},
		"padding alone":                      {[]string{"Bearer =="}, "", notOneToken},
		"padding inside":                     {[]string{"Bearer a=b"}, "", notOneToken},
		"two tokens":                         {[]string{"Bearer a b"}, "", notOneToken},
		"two credentials, with a comma":      {[]string{"Bearer a, Bearer b"}, "", notOneToken},
		"a quoted token":                     {[]string{`Bearer "a"`}, "", notOneToken},
		"a tab before the token":             {[]string{"Bearer \ta"}, "", notOneToken},
		"a letter that is not ASCII":         {[]string{"Bearer ä"}, "", notOneToken},
		"a byte that is no UTF-8":            {[]string{"Bearer a\xff"}, "", notOneToken},
		"two headers with the same token":    {[]string{"Bearer a", "Bearer a"}, "", "the request has more than one Authorization header"},
		"two headers, one of another scheme": {[]string{"Basic YTpi", "Bearer a"}, "", "the request has more than one Authorization header"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.BearerToken(http.Header{"Authorization": tt.values})
			message := ""
			if err != nil {
				message = err.Error()
			}
			if got != tt.want || message != tt.err {
				t.Errorf("got %q and error %q, want %q and %q", got, message, tt.want, tt.err)
			}
		})
	}
}

func TestChallengeSaysWhatWouldHelp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want string
	}{
		"no token":           {auth.ErrNoToken, `Bearer realm="clientsd"`},
		"a refused token":    {&auth.TokenError{Description: "the access token has expired"}, `Bearer realm="clientsd", error="invalid_token", error_description="the access token has expired"`},
		"a missing scope":    {auth.NewScopeError(nil, []string{auth.ScopeRead}), `Bearer realm="clientsd", error="insufficient_scope", scope="oauth:clients:read"`},
		"two missing scopes": {auth.NewScopeError(nil, []string{"a", "b"}), `Bearer realm="clientsd", error="insufficient_scope", scope="a b"`},
		"one of two scopes": {
			auth.NewScopeError(nil, []string{"a"}, []string{"b"}),
			`Bearer realm="clientsd", error="insufficient_scope", scope="a", error_description="the access token lacks the scope 'a' or 'b'"`,
		},
		"keys unavailable": {auth.ErrKeysUnavailable, ""},
		"no rule":          {auth.ErrNotAllowed, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := auth.Challenge(tt.err); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
