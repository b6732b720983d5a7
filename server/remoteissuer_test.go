package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
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

// remoteAudience is what the remote issuer calls this service.
const remoteAudience = "clients.example.com"

// grpcProtocol is gRPC, for tests that look at one protocol beside Connect.
var grpcProtocol = servertest.Protocols()[slices.IndexFunc(servertest.Protocols(), func(p servertest.Protocol) bool { return p.Name == "gRPC" })]

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

// remote is a server that trusts a remote issuer only.
type remote struct {
	*servertest.Server

	issuer *authtest.Issuer
	key    authtest.Key
	weak   authtest.Key // published too, and not to be used
}

// startRemote starts both, and waits until the keys are loaded.
func startRemote(t *testing.T) remote {
	t.Helper()
	key := authtest.NewKey(t, "key-1")
	weak := authtest.NewKeyOfSize(t, "weak", 1024)
	r := remote{issuer: authtest.NewIssuer(t, key, weak), key: key, weak: weak}
	r.start(t)
	r.waitUntilReady(t)
	return r
}

func (r *remote) start(t *testing.T) {
	t.Helper()
	r.Server = servertest.Start(t, func(c *server.Config) {
		c.Issuers, c.Audience = []string{r.issuer.URL}, remoteAudience
	})
}

func (r *remote) waitUntilReady(t *testing.T) {
	t.Helper()
	for range 1000 {
		if response, _ := get(t, r.Server, "/readyz"); response.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the server is not ready:\n%s", r.Logs)
}

// sign makes a token for reading, good but for the claims and header given.
func (r *remote) sign(t *testing.T, claims, header map[string]any) string {
	t.Helper()
	good := authtest.Claims(r.issuer.URL, remoteAudience, time.Now())
	good["scope"] = read
	return r.key.Sign(t, authtest.With(good, claims), header)
}

// signHS256 makes a good token but for its signature: a MAC, with the public key
// of the issuer as its key.
func signHS256(t *testing.T, r *remote, alg string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&r.key.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := r.sign(t, nil, claim("alg", alg))
	signed := good[:strings.LastIndex(good, ".")]
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(signed))
	return signed + "." + authtest.Encode(mac.Sum(nil))
}

func wantGood(t *testing.T, r *remote, token string) {
	t.Helper()
	for _, protocol := range []servertest.Protocol{over, grpcProtocol} {
		if _, err := r.Clients(protocol, token).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
			t.Errorf("a good token over %s: %v", protocol.Name, err)
		}
	}
}

func TestAnIssuerThatCannotBeReachedIsNotTheFaultOfTheToken(t *testing.T) {
	t.Parallel()
	key := authtest.NewKey(t, "key-1")
	s := remote{issuer: authtest.NewIssuer(t), key: key}
	reachable := make(chan struct{})
	s.issuer.Answer(authtest.KeysPath, func(w http.ResponseWriter, _ *http.Request) {
		<-reachable
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{key.JWK()}})
	})
	s.start(t)
	want := answer{Code: connect.CodeUnavailable, Message: "the keys of the token issuer are not available"}
	for _, protocol := range servertest.Protocols() {
		_, err := s.Clients(protocol, s.sign(t, nil, nil)).ListClients(t.Context(), &apiv1.ListClientsRequest{})
		if got := answerOf(err); got != want {
			t.Errorf("%s: got %+v, want %+v", protocol.Name, got, want)
		}
	}
	wantRefused(t, s.Server, "no JWT", "token", malformed)
	response, body := get(t, s.Server, "/readyz")
	if response.StatusCode != http.StatusServiceUnavailable || string(body) != "the keys of an issuer are not loaded yet\n" {
		t.Errorf("/readyz: got %s: %s", response.Status, body)
	}
	if response, body := get(t, s.Server, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("/livez: got %s: %s", response.Status, body)
	}

	close(reachable)
	s.waitUntilReady(t)
	wantGood(t, &s, s.sign(t, nil, nil))
}

func TestTokensOfTheBuiltInIssuerAreRefusedWhenAnotherIsConfigured(t *testing.T) {
	t.Parallel()
	s := startRemote(t)
	wantRefused(t, s.Server, "built-in issuer", s.Token(t, servertest.All...), unknownFrom)
}

func TestATokenOfOneTrustedIssuerDoesNotSpeakForAnother(t *testing.T) {
	t.Parallel()
	one, other := authtest.NewKey(t, "key-1"), authtest.NewKey(t, "key-1")
	s := remote{issuer: authtest.NewIssuer(t, one), key: one}
	second := authtest.NewIssuer(t, other)
	s.Server = servertest.Start(t, func(c *server.Config) {
		c.Issuers, c.Audience = []string{s.issuer.URL, second.URL}, remoteAudience
		c.JWKSURLs = []string{s.issuer.URL + authtest.KeysPath, second.URL + authtest.KeysPath}
	})
	s.waitUntilReady(t)
	wantGood(t, &s, s.sign(t, nil, nil))
	wantRefused(t, s.Server, "the key of one, the name of the other", s.sign(t, claim("iss", second.URL), nil), badSignature)
}

func claim(name string, value any) map[string]any { return map[string]any{name: value} }

func fromNow(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// changeByte replaces one character of base64 by another.
func changeByte(token string, at int) string {
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// decodeToken reads header and claims of a token, unverified.
func decodeToken(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	var parts [2]map[string]any
	for i, text := range strings.SplitN(token, ".", 3)[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = object(t, raw)
	}
	return parts[0], parts[1]
}

// withClaims gives a token the scope of an admin and keeps its signature.
func withClaims(t *testing.T, good string) string {
	t.Helper()
	_, claims := decodeToken(t, good)
	claims["scope"] = admin
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
