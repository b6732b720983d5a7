package auth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"clientsd/server/auth"
)

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer a", "bearer  a.b.c==", "Basic YTpi", "Bearer a, Bearer b", "Bearer \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := auth.BearerToken(http.Header{"Authorization": {value}})
		if err != nil {
			if token != "" || !isRefusal(err) {
				t.Errorf("got %q and error %v, want a refusal", token, err)
			}
			return
		}
		if token == "" || !strings.HasSuffix(value, " "+token) || strings.ContainsAny(token, " ,\t\r\n\"") {
			t.Errorf("took %q as the token of %q", token, value)
		}
	})
}

// FuzzVerify looks for a second spelling of a good token.
func FuzzVerify(f *testing.F) {
	verifier, good := newVerifier(f, newConfig(f)), goodToken(f, nil)
	header, payload, signature := split(good)
	for _, seed := range []string{
		good, "", "..", "a.b.c", header + "." + payload + ".", header + ".e30." + signature,
		"eyJhbGciOiJub25lIn0." + payload + ".", good + "=", strings.ToUpper(good),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		principal, err := verifier.Verify(t.Context(), token)
		if token != good && (principal != nil || !isRefusal(err)) {
			t.Errorf("got %+v and error %v, want a refusal", principal, err)
		}
	})
}

func isRefusal(err error) bool {
	var refused *auth.TokenError
	return errors.Is(err, auth.ErrNoToken) || errors.As(err, &refused)
}
