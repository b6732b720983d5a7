package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

func TestNewVerifierRefuses(t *testing.T) {
	t.Parallel()
	one := auth.Issuer{Name: issuer, Key: keysOf()}
	tests := map[string]struct {
		cfg  auth.Config
		want string
	}{
		"no issuer":            {auth.Config{Audience: audience}, "no token issuer is configured"},
		"no audience":          {auth.Config{Issuers: []auth.Issuer{one}}, "no token audience is configured"},
		"an issuer twice":      {auth.Config{Issuers: []auth.Issuer{one, one}, Audience: audience}, `token issuer "` + issuer + `" is configured twice`},
		"an issuer unnamed":    {auth.Config{Issuers: []auth.Issuer{{Key: keysOf()}}, Audience: audience}, "a token issuer lacks its name or its keys"},
		"an issuer of no keys": {auth.Config{Issuers: []auth.Issuer{{Name: issuer}}, Audience: audience}, "a token issuer lacks its name or its keys"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.NewVerifier(tt.cfg)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestVerifyReturnsTheCallerTheClaimsName(t *testing.T) {
	t.Parallel()
	full := auth.Principal{
		Issuer:        issuer,
		Subject:       "urn:xeonr:user:1",
		ClientID:      "console",
		Organisation:  "acme",
		ApplicationID: "app_prod",
		ExpiresAt:     now.Add(time.Hour),
	}
	tests := map[string]struct {
		claims map[string]any
		change func(*auth.Principal)
	}{
		"all claims given": {nil, func(*auth.Principal) {}},
		"azp stands in for an absent client_id": {
			map[string]any{"client_id": nil},
			func(p *auth.Principal) { p.ClientID = "console-azp" },
		},
		"neither client_id nor azp": {
			map[string]any{"client_id": nil, "azp": nil},
			func(p *auth.Principal) { p.ClientID = "" },
		},
		"no organisation is the default one": {
			map[string]any{"urn:xeonr:auth:organisation_id": nil},
			func(p *auth.Principal) { p.Organisation = auth.DefaultOrganisation },
		},
		"no application": {
			map[string]any{"urn:xeonr:auth:application_id": nil},
			func(p *auth.Principal) { p.ApplicationID = "" },
		},
		"an expiry with a fraction of a second": {
			map[string]any{"exp": float64(now.Unix()) + 60.75},
			func(p *auth.Principal) { p.ExpiresAt = now.Add(time.Minute) },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := full
			tt.change(&want)
			got, err := newVerifier(t, newConfig(t)).Verify(t.Context(), goodToken(t, tt.claims))
			if err != nil {
				t.Fatalf("Verify: %v", err)
			}
			if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(auth.Principal{})); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ claims, header map[string]any }{
		"a token of no type":                     {nil, map[string]any{"typ": nil}},
		"a token of type JWT":                    {nil, map[string]any{"typ": "JWT"}},
		"a type in capitals":                     {nil, map[string]any{"typ": "AT+JWT"}},
		"a type with its full media type":        {nil, map[string]any{"typ": "application/at+jwt"}},
		"an unknown header that is not critical": {nil, map[string]any{"x-trace": 1}},
		"a key URL, without following it":        {nil, map[string]any{"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5u"}},
		"an audience that is one string":         {map[string]any{"aud": audience}, nil},
		"an audience among others":               {map[string]any{"aud": []string{"other", audience}}, nil},
		"no nbf and no iat":                      {map[string]any{"nbf": nil, "iat": nil}, nil},
		"an unknown claim":                       {map[string]any{"groups": []string{"a"}}, nil},
		"exp 29 s ago":                           {map[string]any{"exp": now.Unix() - 29}, nil},
		"nbf in 30 s":                            {map[string]any{"nbf": now.Unix() + 30}, nil},
		"iat in 30 s":                            {map[string]any{"iat": now.Unix() + 30}, nil},
		"a subject of 256 bytes":                 {map[string]any{"sub": text(256)}, nil},
		"an organisation of 128 bytes":           {map[string]any{"urn:xeonr:auth:organisation_id": text(128)}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := trustedKey(t).Sign(t, goodClaims(tt.claims), tt.header)
			if _, err := newVerifier(t, newConfig(t)).Verify(t.Context(), token); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestHasScopeIsExact(t *testing.T) {
	t.Parallel()
	token := goodToken(t, map[string]any{"scope": "oauth:clients:manage  admin"})
	principal, err := newVerifier(t, newConfig(t)).Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	tests := map[string]bool{
		"oauth:clients:manage":       true,
		"admin":                      true,
		"oauth:clients:read":         false,
		"oauth:clients":              false,
		"oauth:clients:manage admin": false,
		"ADMIN":                      false,
		"":                           false,
	}
	for scope, want := range tests {
		if got := principal.HasScope(scope); got != want {
			t.Errorf("HasScope(%q) = %v, want %v", scope, got, want)
		}
	}
}

func TestTwoIssuersKeepTheirKeysApart(t *testing.T) {
	t.Parallel()
	const second = "https://second.example.com"
	cfg := newConfig(t)
	cfg.Issuers = append(cfg.Issuers, auth.Issuer{Name: second, Key: keysOf(rogueKey(t))})
	verifier := newVerifier(t, cfg)

	claims := goodClaims(map[string]any{"iss": second})
	if _, err := verifier.Verify(t.Context(), rogueKey(t).Sign(t, claims, nil)); err != nil {
		t.Errorf("token of the second issuer: %v", err)
	}
	principal, err := verifier.Verify(t.Context(), rogueKey(t).Sign(t, goodClaims(nil), nil))
	wantTokenError(t, principal, err, "the signature of the access token is wrong")
}

func TestKeysThatCannotBeHadAreNotTheCallersFault(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	for name, keyErr := range map[string]error{
		"keys unavailable":    auth.ErrKeysUnavailable,
		"any other key error": cause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newConfig(t)
			cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) { return nil, keyErr }
			_, err := newVerifier(t, cfg).Verify(t.Context(), goodToken(t, nil))
			if !errors.Is(err, auth.ErrKeysUnavailable) || !errors.Is(err, keyErr) {
				t.Errorf("got error %v, want ErrKeysUnavailable and its cause", err)
			}
		})
	}
}

// text returns so many bytes of printable text.
func text(bytes int) string {
	s := make([]byte, bytes)
	for i := range s {
		s[i] = 'a' + byte(i%26)
	}
	return string(s)
}

// A key that no issuer should have is not used, wherever it comes from.
func TestVerify_KeyThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	numbers := func(bits uint, exponent int) crypto.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: exponent}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PublicKey{
		"2047 bits":                numbers(2047, 65537),
		"8193 bits":                numbers(8193, 65537),
		"an exponent of one":       numbers(2048, 1),
		"an even exponent":         numbers(2048, 65536),
		"an exponent over 31 bits": numbers(2048, 1<<31+1),
		"another curve":            other.Public(),
		"an elliptic key":          authtest.NewES256Key(t, "key-1").Public(),
		"no key at all":            nil,
	} {
		cfg := newConfig(t)
		cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) { return key, nil }
		principal, err := newVerifier(t, cfg).Verify(t.Context(), goodToken(t, nil))
		t.Run(name, func(t *testing.T) {
			wantTokenError(t, principal, err, "the access token is signed with a key of its issuer that is not accepted")
		})
	}
}
