package access_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

// The reasons that more than one kind of token is refused for.
const (
	notRS256     = "the access token is not signed with RS256"
	badSignature = "the signature of the access token is wrong"
	badType      = "the token is of a type other than an access token"
	badExtension = "the access token relies on an extension that is not supported"
	bringsKey    = "the access token carries a key of its own"
	unknownKey   = "the access token is signed with a key its issuer does not publish"
	unknownFrom  = "the access token is from an issuer that is not trusted"
	badAudience  = "the access token is meant for another audience (claim aud)"
	noAudience   = "the access token names no audience (claim aud)"
	badDate      = "the access token has a date that is out of range (claim exp)"
	badSubject   = "the access token has no usable subject (claim sub)"
	badOrg       = "the access token names no usable organisation (claim urn:xeonr:auth:organisation_id)"
	unusableKey  = "the access token is signed with a key of its issuer that is not accepted"
	expired      = "the access token has expired"
)

// hostileToken is a good token but for some claims and header parameters; nil
// leaves one out.
type hostileToken struct {
	name           string
	claims, header map[string]any
	refused        string
}

// hostileTokens need the key of the issuer.
var hostileTokens = []hostileToken{
	{"no exp", claim("exp", nil), nil, "the access token has no expiry date (claim exp)"},
	{"exp a minute ago", claim("exp", fromNow(-time.Minute)), nil, expired},
	{"exp of zero", claim("exp", 0), nil, expired},
	{"negative exp", claim("exp", -1), nil, badDate},
	{"exp that overflows", claim("exp", json.RawMessage("9223372036854775808")), nil, badDate},
	{"exp that is a string", claim("exp", "4102444800"), nil, "the claim exp of the access token is not a usable number"},
	{"nbf in an hour", claim("nbf", fromNow(time.Hour)), nil, "the access token is not valid yet"},
	{"iat in an hour", claim("iat", fromNow(time.Hour)), nil, "the access token was issued in the future"},
	{"no issuer", claim("iss", nil), nil, unknownFrom},
	{"another issuer", claim("iss", "https://attacker.example"), nil, unknownFrom},
	{"issuer that is a list", claim("iss", []string{"https://attacker.example"}), nil, "the claim iss of the access token is not a string"},
	{"no audience", claim("aud", nil), nil, noAudience},
	{"empty list of audiences", claim("aud", []string{}), nil, badAudience},
	{"another audience", claim("aud", []string{"another-service"}), nil, badAudience},
	{"our audience in capitals", claim("aud", []string{strings.ToUpper(servertest.RemoteAudience)}), nil, badAudience},
	{"audience that is an object", claim("aud", map[string]any{servertest.RemoteAudience: true}), nil, "the claim aud of the access token is neither a string nor a list of strings"},
	{"no subject", claim("sub", nil), nil, badSubject},
	{"empty subject", claim("sub", ""), nil, badSubject},
	{"subject with a line break", claim("sub", "user\r\nX-Admin: yes"), nil, badSubject},
	{"subject with a NUL", claim("sub", "user\x00"), nil, badSubject},
	{"subject of 300 bytes", claim("sub", strings.Repeat("s", 300)), nil, badSubject},
	{"scope that is an object", claim("scope", map[string]any{servertest.ScopeRead: true}), nil, "the claim scope of the access token is neither a string nor a list of strings"},
	{"empty organisation", claim("urn:xeonr:auth:organisation_id", ""), nil, badOrg},
	{"organisation with a NUL", claim("urn:xeonr:auth:organisation_id", "acme\x00"), nil, badOrg},
	{"organisation that is a list", claim("urn:xeonr:auth:organisation_id", []string{"acme", "other"}), nil, "the claim urn:xeonr:auth:organisation_id of the access token is not a string"},
	{"client id with a line break", claim("client_id", "console\n"), nil, "the access token names no usable client (claim client_id)"},

	{"alg none", nil, claim("alg", "none"), notRS256},
	{"alg None", nil, claim("alg", "None"), notRS256},
	{"alg HS256", nil, claim("alg", "HS256"), notRS256},
	{"alg PS256", nil, claim("alg", "PS256"), notRS256},
	{"alg ES256", nil, claim("alg", "ES256"), notRS256},
	{"alg RS512", nil, claim("alg", "RS512"), notRS256},
	{"no alg", nil, claim("alg", nil), notRS256},
	{"alg that is a list", nil, claim("alg", []string{"RS256"}), servertest.MalformedToken},
	{"no kid", nil, claim("kid", nil), "the access token names no usable key id"},
	{"unknown kid", claim("iat", fromNow(-time.Minute)), claim("kid", "unknown"), unknownKey},
	{"kid that is a path", claim("iat", fromNow(-time.Minute)), claim("kid", "../../../dev/null"), unknownKey},
	{"kid that is SQL", claim("iat", fromNow(-time.Minute)), claim("kid", "k' UNION SELECT 1--"), unknownKey},
	{"kid that is a number", nil, claim("kid", 1), servertest.MalformedToken},
	{"unknown crit", nil, map[string]any{"crit": []string{"x"}, "x": 1}, badExtension},
	{"empty crit", nil, claim("crit", []string{}), badExtension},
	{"b64 false", nil, claim("b64", false), badExtension},
	{"jwk in the header", nil, claim("jwk", map[string]any{"kty": "oct", "k": "AAAA"}), bringsKey},
	{"x5c in the header", nil, claim("x5c", []string{"MIIB"}), bringsKey},
	{"token inside a token", nil, claim("cty", "JWT"), "the access token has content of another type"},
	{"ID token", nil, claim("typ", "id_token+jwt"), badType},
	{"logout token", nil, claim("typ", "logout+jwt"), badType},
	{"DPoP proof", nil, claim("typ", "dpop+jwt"), badType},
}

// forgeries need no key: they are made of a good token and a key of one's own.
var forgeries = []struct {
	name    string
	forge   func(t *testing.T, good string) string
	refused string
}{
	{"no JWT", func(*testing.T, string) string { return "token" }, servertest.MalformedToken},
	{"only dots", func(*testing.T, string) string { return ".." }, servertest.MalformedToken},
	{"a thousand dots", func(*testing.T, string) string { return strings.Repeat(".", 1000) }, servertest.MalformedToken},
	{"9 KiB", func(_ *testing.T, good string) string { return good + strings.Repeat("A", 9<<10) }, "the access token is larger than 8 KiB"},
	{"no signature", func(_ *testing.T, good string) string { return good[:strings.LastIndex(good, ".")+1] }, servertest.MalformedToken},
	{"no signature and no dot", func(_ *testing.T, good string) string { return good[:strings.LastIndex(good, ".")] }, servertest.MalformedToken},
	{"a fourth part", func(_ *testing.T, good string) string { return good + ".e30" }, servertest.MalformedToken},
	{"padding", func(_ *testing.T, good string) string { return good + "==" }, servertest.MalformedToken},
	{"half of it", func(_ *testing.T, good string) string { return good[:len(good)/2] }, servertest.MalformedToken},
	{"twice", func(_ *testing.T, good string) string { return good + good }, servertest.MalformedToken},
	{"its signature changed", func(_ *testing.T, good string) string {
		return servertest.ChangeByte(good, strings.LastIndex(good, ".")+9)
	}, badSignature},
	{"its claims replaced", withClaims, badSignature},
	{"signed with a key of one's own", signedWith(nil), badSignature},
	{"signed with a key of one's own, and its jku", signedWith(claim("jku", "https://attacker.example/jwks")), badSignature},
	{"signed with a key of one's own, and its x5u", signedWith(claim("x5u", "https://attacker.example/x5u")), badSignature},
	{"signed with a key of one's own, which it brings", func(t *testing.T, good string) string {
		t.Helper()
		return signedWith(claim("jwk", rogueKey(t).JWK()))(t, good)
	}, bringsKey},
	{"alg none and no signature", func(t *testing.T, good string) string {
		t.Helper()
		_, claims := decodeToken(t, good)
		return authtest.Encode([]byte(`{"alg":"none"}`)) + "." + authtest.Encode(authtest.Marshal(t, claims)) + "."
	}, servertest.MalformedToken},
}

func TestToken_HostileFromTrustedIssuer(t *testing.T) {
	t.Parallel()
	s := servertest.StartRemote(t)
	good := s.Sign(t, nil, nil)
	wantGood(t, &s, good)
	for _, tt := range hostileTokens {
		wantRefused(t, s.Server, tt.name, s.Sign(t, tt.claims, tt.header), tt.refused)
	}
	for _, tt := range forgeries {
		wantRefused(t, s.Server, tt.name, tt.forge(t, good), tt.refused)
	}
	wantRefused(t, s.Server, "a published key of 1,024 bits", s.Weak.Sign(t, authtest.Claims(s.Issuer.URL, servertest.RemoteAudience, time.Now()), nil), unusableKey)
	wantRefused(t, s.Server, "HS256 with the public key as its key", signHS256(t, &s, "HS256"), notRS256)
	wantRefused(t, s.Server, "HS256 that says it is RS256", signHS256(t, &s, "RS256"), badSignature)
	wantGood(t, &s, good)
	s.WantCalm(t)
}

func TestToken_ForgedOfBuiltInIssuer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	good := s.Token(t, servertest.All...)
	for _, tt := range forgeries {
		wantRefused(t, s, tt.name, tt.forge(t, good), tt.refused)
	}
	if _, err := s.Clients(servertest.ConnectJSON, good).ListClients(t.Context(), &apiv1.ListClientsRequest{}); err != nil {
		t.Errorf("a good token among the forged ones: %v", err)
	}
	s.WantCalm(t)
}

// wantRefused fails the test unless a call with the token is refused for the
// reason, over Connect and over gRPC, with a challenge.
func wantRefused(t *testing.T, s *servertest.Server, name, token, reason string) {
	t.Helper()
	want := servertest.Unauthenticated(token, reason)
	response, body := s.PostJSON(t, servertest.ClientsPath+"ListClients", token, `{}`)
	got := servertest.Object(t, body)
	if response.StatusCode != http.StatusUnauthorized || got["code"] != want.Code.String() ||
		got["message"] != want.Message || response.Header.Get("WWW-Authenticate") != want.Challenge {
		t.Errorf("%s: got %s, challenge %s: %s\nwant: %+v", name, response.Status, response.Header.Get("WWW-Authenticate"), body, want)
	}
	_, err := s.Clients(servertest.GRPC, token).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if got := servertest.CallErrorOf(err); got != want {
		t.Errorf("%s over gRPC: got %+v\nwant %+v", name, got, want)
	}
}
