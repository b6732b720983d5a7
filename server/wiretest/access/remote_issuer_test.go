package access_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

var sharedRogueKey struct {
	once sync.Once
	key  authtest.Key
}

// rogueKey is a key of an attacker.
func rogueKey(t testing.TB) authtest.Key {
	t.Helper()
	sharedRogueKey.once.Do(func() { sharedRogueKey.key = authtest.NewKey(t, "rogue") })
	return sharedRogueKey.key
}

// signHS256 makes a good token but for its signature: a MAC, with the public key
// of the issuer as its key.
func signHS256(t *testing.T, r *servertest.Remote, alg string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&r.Key.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := r.Sign(t, nil, claim("alg", alg))
	signed := good[:strings.LastIndex(good, ".")]
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(signed))
	return signed + "." + authtest.Encode(mac.Sum(nil))
}

func wantGood(t *testing.T, r *servertest.Remote, token string) {
	t.Helper()
	for _, protocol := range []servertest.Protocol{servertest.ConnectJSON, servertest.GRPC} {
		if _, err := r.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
			t.Errorf("a good token over %s: %v", protocol.Name, err)
		}
	}
}

func TestRemoteIssuer_CannotBeReached(t *testing.T) {
	t.Parallel()
	key := authtest.NewKey(t, "key-1")
	s := servertest.Remote{Issuer: authtest.NewIssuer(t), Key: key}
	reachable := make(chan struct{})
	s.Issuer.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) {
		<-reachable
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{key.JWK()}})
	})
	s.Start(t)
	want := servertest.CallError{Code: connect.CodeUnavailable, Message: "the keys of the token issuer are not available"}
	for _, protocol := range servertest.Protocols() {
		_, err := s.Clients(protocol, s.Sign(t, nil, nil)).ListClients(t.Context(), &apiv1.ListClientsRequest{})
		if got := servertest.CallErrorOf(err); got != want {
			t.Errorf("%s: got %+v, want %+v", protocol.Name, got, want)
		}
	}
	wantRefused(t, s.Server, "no JWT", "token", servertest.MalformedToken)
	response, body := s.Get(t, "/readyz")
	if response.StatusCode != http.StatusServiceUnavailable || string(body) != "no issuer's keys are loaded: see the log\n" {
		t.Errorf("/readyz: got %s: %s", response.Status, body)
	}
	if response, body := s.Get(t, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("/livez: got %s: %s", response.Status, body)
	}

	close(reachable)
	s.WaitUntilReady(t)
	wantGood(t, &s, s.Sign(t, nil, nil))
}

func TestRemoteIssuer_BuiltInTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.StartRemote(t)
	wantRefused(t, s.Server, "built-in issuer", s.Token(t, servertest.All...), unknownFrom)
}

func TestRemoteIssuer_CannotSpeakForAnother(t *testing.T) {
	t.Parallel()
	one, other := authtest.NewKey(t, "key-1"), authtest.NewKey(t, "key-1")
	s := servertest.Remote{Issuer: authtest.NewIssuer(t, one), Key: one}
	second := authtest.NewIssuer(t, other)
	s.Server = servertest.Start(t, func(c *server.Config) {
		c.Audience = servertest.RemoteAudience
		for _, issuer := range []*authtest.Issuer{s.Issuer, second} {
			c.Issuers = append(c.Issuers, server.TrustedIssuer{URL: issuer.URL, JWKSURL: issuer.URL + authtest.KeysPath})
		}
	})
	s.WaitUntilReady(t)
	wantGood(t, &s, s.Sign(t, nil, nil))
	wantRefused(t, s.Server, "the key of one, the name of the other", s.Sign(t, claim("iss", second.URL), nil), badSignature)
}

// claim returns one claim, or one header parameter, for Sign.
func claim(name string, value any) map[string]any { return map[string]any{name: value} }

func fromNow(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// decodeToken reads header and claims of a token, unverified.
func decodeToken(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	var parts [2]map[string]any
	for i, text := range strings.SplitN(token, ".", 3)[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = servertest.Object(t, raw)
	}
	return parts[0], parts[1]
}

// withClaims gives a token the scope of an admin and keeps its signature.
func withClaims(t *testing.T, good string) string {
	t.Helper()
	_, claims := decodeToken(t, good)
	claims["scope"] = servertest.ScopeAdmin
	parts := strings.Split(good, ".")
	parts[1] = authtest.Encode(authtest.Marshal(t, claims))
	return strings.Join(parts, ".")
}

// signedWith copies a token, key id and all, and signs it with the rogue key.
func signedWith(over map[string]any) func(*testing.T, string) string {
	return func(t *testing.T, good string) string {
		t.Helper()
		header, claims := decodeToken(t, good)
		return rogueKey(t).Sign(t, claims, authtest.With(header, over))
	}
}
