package auth_test

import (
	"testing"
	"testing/synctest"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

func TestOnlyKeysForRS256AreTaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change map[string]any
		want   error
	}{
		"a key for RS256 signatures":      {nil, nil},
		"no use and no algorithm":         {map[string]any{"use": nil, "alg": nil}, nil},
		"no key id":                       {map[string]any{"kid": nil}, auth.ErrUnknownKey},
		"a key for encryption":            {map[string]any{"use": "enc"}, auth.ErrUnknownKey},
		"a key for PS256":                 {map[string]any{"alg": "PS256"}, auth.ErrUnknownKey},
		"an unknown type of key":          {map[string]any{"kty": "AKP"}, auth.ErrUnknownKey},
		"a shared secret":                 {map[string]any{"kty": "oct", "k": "AAAA"}, auth.ErrUnknownKey},
		"no modulus":                      {map[string]any{"n": nil}, auth.ErrUnknownKey},
		"a modulus that is no base64":     {map[string]any{"n": "!"}, auth.ErrUnknownKey},
		"a modulus of 1024 bits":          {map[string]any{"n": modulus(1024)}, auth.ErrUnknownKey},
		"a modulus of 8200 bits":          {map[string]any{"n": modulus(8200)}, auth.ErrUnknownKey},
		"an exponent of one":              {map[string]any{"e": "AQ"}, auth.ErrUnknownKey},
		"an even exponent":                {map[string]any{"e": authtest.Encode([]byte{1, 0, 0})}, auth.ErrUnknownKey},
		"an exponent over 31 bits":        {map[string]any{"e": authtest.Encode([]byte{1, 0, 0, 0, 1})}, auth.ErrUnknownKey},
		"a private key published by slip": {map[string]any{"d": "AQ", "p": "Aw", "q": "BQ"}, auth.ErrUnknownKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known, beside := trustedKey(t), authtest.Key{ID: "beside", Private: rogueKey(t).Private}
			server := authtest.NewIssuer(t)
			server.AnswerJSON(t, authtest.KeysPath, map[string]any{
				"keys": []any{authtest.With(known.JWK(), tt.change), beside.JWK()},
			})
			synctest.Test(t, func(t *testing.T) {
				keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
				run(t, keys)
				wantKey(t, keys, known, tt.want)
				wantKey(t, keys, beside, nil)
			})
		})
	}
}

func TestOfTwoKeysWithOneIDTheFirstIsTaken(t *testing.T) {
	t.Parallel()
	server := authtest.NewIssuer(t, trustedKey(t), rogueKey(t))
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		run(t, keys)
		wantKey(t, keys, trustedKey(t), nil)
	})
}

func TestAnIssuerMayWithdrawAllItsKeys(t *testing.T) {
	t.Parallel()
	server := authtest.NewIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		run(t, keys)
		wantKey(t, keys, trustedKey(t), auth.ErrUnknownKey)
		if !keys.Ready() {
			t.Error("not ready, though the issuer has answered")
		}
	})
}

// modulus returns an odd number of so many bits.
func modulus(bits int) string {
	n := make([]byte, bits/8)
	n[0], n[len(n)-1] = 0x80, 1
	return authtest.Encode(n)
}
