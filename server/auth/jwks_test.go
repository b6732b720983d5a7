package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clientsd/server/auth"
	"clientsd/server/auth/authtest"
)

// jwk is a published key that is changed in one place, and why it is skipped.
type jwk struct {
	change  map[string]any
	skipped string // empty: it is taken
}

// testKeys publishes each key, changed, alongside another one, and expects that it
// is taken, or skipped with one line in the log that says why.
func testKeys(t *testing.T, key authtest.Key, algorithms []string, tests map[string]jwk) {
	t.Helper()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			beside := authtest.Key{ID: "beside", Private: rogueKey(t).Private}
			server := authtest.NewIssuer(t)
			server.AnswerJSON(t, authtest.KeysPath, map[string]any{
				"keys": []any{authtest.With(key.JWK(), tt.change), beside.JWK()},
			})
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				keys := newRemoteKeys(t, auth.RemoteConfig{
					Issuer: server.URL, Algorithms: append(algorithms, "RS256"), Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				})
				run(t, keys)
				_, hasID := authtest.With(key.JWK(), tt.change)["kid"].(string)
				switch {
				case tt.skipped == "":
					wantKey(t, keys, key, nil)
				case hasID:
					wantKey(t, keys, key, auth.ErrUnusableKey)
				default:
					wantKey(t, keys, key, auth.ErrUnknownKey)
				}
				wantKey(t, keys, beside, nil)
				pass(20 * time.Minute) // and several fetches
				wantSkipped(t, log.String(), tt.skipped)
			})
		})
	}
}

// A warningLog is a JSON log whose warnings are read while it is written.
type warningLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the log.
func (l *warningLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// String returns everything logged so far.
func (l *warningLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newLoggedKeys are keys whose warnings are kept.
func newLoggedKeys(t *testing.T, server *authtest.Issuer) (*auth.RemoteKeys, *warningLog) {
	t.Helper()
	log := &warningLog{}
	return newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewJSONHandler(log, nil))}), log
}

// warnings are the messages of the warnings so far.
func (l *warningLog) warnings(t *testing.T) (found []string) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var entry struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Level == "WARN" {
			found = append(found, entry.Msg)
		}
	}
	return found
}

// wantSkipped fails the test unless the log says once that a key is skipped, for
// this reason; or not at all, if the reason is empty.
func wantSkipped(t *testing.T, log, reason string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(log) {
		var entry struct{ Level, Msg, Kid, Reason string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(entry.Msg, "skipped a key") && entry.Level == "WARN" {
			got = append(got, entry.Reason)
		}
	}
	var want []string
	if reason != "" {
		want = []string{reason}
	}
	if !slices.Equal(got, want) {
		t.Errorf("skipped keys: got %q, want %q", got, want)
	}
}

func change(name string, value any) map[string]any { return map[string]any{name: value} }

func TestParseKeySet_RSA(t *testing.T) {
	t.Parallel()
	testKeys(t, trustedKey(t), nil, map[string]jwk{
		"a key for RS256 signatures":   {nil, ""},
		"no use and no algorithm":      {map[string]any{"use": nil, "alg": nil}, ""},
		"null for what is absent":      {map[string]any{"use": json.RawMessage("null"), "alg": json.RawMessage("null")}, ""},
		"key_ops to verify":            {change("key_ops", []string{"verify"}), ""},
		"a certificate of junk":        {change("x5c", []string{"MIIBjunk"}), ""},
		"a certificate that is none":   {change("x5c", []string{"!"}), ""},
		"certificates that are text":   {change("x5c", "MIIB"), ""},
		"thumbprints of junk":          {map[string]any{"x5t": "!", "x5t#S256": 7}, ""},
		"a URL of certificates":        {change("x5u", "https://[::1"), ""},
		"a curve that is a number":     {change("crv", 7), "it cannot be read: json: cannot unmarshal number into Go value of type string"},
		"a validity of the issuer's":   {map[string]any{"nbf": 1493763266, "issuer": "https://x"}, ""},
		"no key id":                    {change("kid", nil), "it has no id (kid)"},
		"a key id that is a number":    {change("kid", 1), "its member kid is not a string"},
		"a key for encryption":         {change("use", "enc"), `it is not for signatures: its use is "enc"`},
		"a use that is a list":         {change("use", []string{"sig"}), "its member use is not a string"},
		"key_ops to sign":              {change("key_ops", []string{"sign"}), "it is not for verifying: its key_ops do not say so"},
		"key_ops that are text":        {change("key_ops", "verify"), "it is not for verifying: its key_ops do not say so"},
		"a key for PS256":              {change("alg", "PS256"), "it is for PS256, and only tokens that are signed with RS256 are accepted of this issuer"},
		"a key for RSA-OAEP":           {change("alg", "RSA-OAEP"), `it is for "RSA-OAEP", and only tokens that are signed with RS256 are accepted of this issuer`},
		"a key for ES256 by its word":  {change("alg", "ES256"), `it is for "ES256", and only tokens that are signed with RS256 are accepted of this issuer`},
		"an algorithm that is no text": {change("alg", 256), "its member alg is not a string"},
		"an unknown type of key":       {change("kty", "XYZ"), "it cannot be read: unsupported key type/format"},
		"no type of key":               {change("kty", nil), "it cannot be read: missing json web key type"},
		"a shared secret":              {map[string]any{"kty": "oct", "k": "AAAA"}, "it is not public: it has the member k"},
		"no modulus":                   {change("n", nil), "it cannot be read: invalid RSA key, missing n/e values"},
		"a modulus that is no base64":  {change("n", "!"), "it cannot be read: illegal base64 data at input byte 0"},
		"a modulus of 1024 bits":       {change("n", modulus(1024)), "it has 1024 bits, 2048 to 8192 are accepted"},
		"a modulus of 8200 bits":       {change("n", modulus(8200)), "it cannot be read: invalid RSA key, modulus too large"},
		"an exponent of one":           {change("e", "AQ"), "it cannot be read: invalid RSA key, bad e value"},
		"an exponent of two":           {change("e", "Ag"), "its exponent 2 is not accepted"},
		"an even exponent":             {change("e", authtest.Encode([]byte{1, 0, 0})), "its exponent 65536 is not accepted"},
		"an exponent over 31 bits":     {change("e", authtest.Encode([]byte{1, 0, 0, 0, 1})), "its exponent 4294967297 is not accepted"},
		"a private key":                {map[string]any{"d": "AQ", "p": "Aw", "q": "BQ"}, "it is not public: it has the member d"},
		"only a factor":                {change("q", "BQ"), "it is not public: it has the member q"},
	})
}

func TestParseKeySet_ES256(t *testing.T) {
	t.Parallel()
	key := authtest.NewES256Key(t, "key-1")
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := other.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p384 := map[string]any{"alg": nil, "crv": "P-384", "x": authtest.Encode(point[1:49]), "y": authtest.Encode(point[49:])}
	testKeys(t, key, []string{"ES256"}, map[string]jwk{
		"a key for ES256 signatures":     {nil, ""},
		"no algorithm":                   {change("alg", nil), ""},
		"a certificate of junk":          {change("x5c", []string{"junk"}), ""},
		"a key for ES384":                {change("alg", "ES384"), `it is for "ES384", and only tokens that are signed with ES256 or RS256 are accepted of this issuer`},
		"a curve of another size":        {p384, `it is for "", and only tokens that are signed with ES256 or RS256 are accepted of this issuer`},
		"a point that is on no curve":    {change("x", authtest.Encode(make([]byte, 32))), "it cannot be read: invalid EC key, X/Y are not on declared curve"},
		"half a point":                   {change("y", nil), "it cannot be read: invalid EC key, missing x/y values"},
		"the curve of bitcoin":           {change("crv", "secp256k1"), "it cannot be read: unsupported elliptic curve 'secp256k1'"},
		"a private key":                  {change("d", "AQ"), "it is not public: it has the member d"},
		"a coordinate of 31 bytes":       {change("x", authtest.Encode(make([]byte, 31))), "it cannot be read: invalid EC public key, wrong length for x"},
		"a type that is another's":       {change("kty", "RSA"), "it cannot be read: invalid RSA key, missing n/e values"},
		"a key for encryption":           {change("use", "enc"), `it is not for signatures: its use is "enc"`},
		"a name for an algorithm of RSA": {change("alg", "RS256"), `it is for "RS256", and only tokens that are signed with ES256 or RS256 are accepted of this issuer`},
	})
}

func TestParseKeySet_EdDSA(t *testing.T) {
	t.Parallel()
	testKeys(t, authtest.NewEdDSAKey(t, "key-1"), []string{"EdDSA"}, map[string]jwk{
		"a key for EdDSA signatures": {nil, ""},
		"its newer name":             {change("alg", "Ed25519"), ""},
		"no algorithm":               {change("alg", nil), ""},
		"31 bytes":                   {change("x", authtest.Encode(make([]byte, 31))), "it cannot be read: invalid Ed25519 public key, wrong length for x"},
		"a key for agreement":        {change("crv", "X25519"), "it cannot be read: unsupported key type/format"},
		"a key for ECDH":             {change("alg", "ECDH-ES"), `it is for "ECDH-ES", and only tokens that are signed with EdDSA or RS256 are accepted of this issuer`},
	})
}

// What is no key does not keep the others from being used.
func TestParseKeySet_ElementsThatAreNoKeys(t *testing.T) {
	t.Parallel()
	known, server := trustedKey(t), authtest.NewIssuer(t)
	repeated := json.RawMessage(`{"kty": "RSA", "kid": "a", "kid": "b"}`)
	server.AnswerJSON(t, authtest.KeysPath, map[string]any{
		"keys": []any{nil, "key", 7, []any{}, map[string]any{}, repeated, known.JWK()},
	})
	synctest.Test(t, func(t *testing.T) {
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL})
		run(t, keys)
		wantKey(t, keys, known, nil)
	})
}

func TestParseKeySet_TwoKeysOfOneID(t *testing.T) {
	t.Parallel()
	first := trustedKey(t)
	for name, tt := range map[string]struct {
		second  authtest.Key
		change  map[string]any
		taken   bool // the second one, too
		skipped string
	}{
		"for one algorithm the first is taken": {rogueKey(t), nil, false, "another key has the same id"},
		"for two algorithms both":              {authtest.NewES256Key(t, first.ID), nil, true, ""},
		"for PS256 beside one for RS256":       {rogueKey(t), change("alg", "PS256"), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := authtest.NewIssuer(t)
			server.AnswerJSON(t, authtest.KeysPath, map[string]any{"keys": []any{first.JWK(), authtest.With(tt.second.JWK(), tt.change)}})
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				keys := newRemoteKeys(t, auth.RemoteConfig{
					Issuer: server.URL, Algorithms: []string{"RS256", "ES256", "PS256"}, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				})
				run(t, keys)
				wantKey(t, keys, first, nil)
				if tt.taken {
					wantKey(t, keys, tt.second, nil)
				}
				wantSkipped(t, log.String(), tt.skipped)
			})
		})
	}
}

func TestRemoteKeys_IssuerWithdrawsAllItsKeys(t *testing.T) {
	t.Parallel()
	server := authtest.NewIssuer(t, trustedKey(t))
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		run(t, keys)
		server.Publish(t)
		pass(6 * time.Minute)
		wantKey(t, keys, trustedKey(t), auth.ErrUnknownKey)
		if keys.Usable() != 0 || keys.Failures() == 0 {
			t.Errorf("got %d keys, %d failures", keys.Usable(), keys.Failures())
		}
		if want := `level=WARN msg="cannot fetch the signing keys of an issuer: its tokens are refused"`; !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &log)
		}
		server.Publish(t, trustedKey(t))
		pass(30 * time.Second)
		wantKey(t, keys, trustedKey(t), nil)
	})
}

// Each key is worth one line; a new one is worth another.
func TestRemoteKeys_SkippedKeyIsLoggedWhenTheSetChanges(t *testing.T) {
	t.Parallel()
	known, weak, weaker := trustedKey(t), authtest.NewKeyOfSize(t, "weak", 1024), authtest.NewKeyOfSize(t, "weaker", 1024)
	server := authtest.NewIssuer(t, known, weak)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		keys := newRemoteKeys(t, auth.RemoteConfig{Issuer: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		run(t, keys)
		pass(time.Hour)
		server.Publish(t, known, weak, weaker)
		pass(time.Hour)
		for _, want := range []string{"kid=weak reason", "kid=weaker reason"} {
			if got := strings.Count(log.String(), want); got != 1 {
				t.Errorf("%s: got %d lines:\n%s", want, got, &log)
			}
		}
	})
}

// modulus returns an odd number of so many bits.
func modulus(bits int) string {
	n := make([]byte, bits/8)
	n[0], n[len(n)-1] = 0x80, 1
	return authtest.Encode(n)
}
