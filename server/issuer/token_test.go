package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"clientsd/server/issuer"
)

func grant() issuer.Grant {
	return issuer.Grant{
		Subject: "urn:xeonr:serviceaccount:1", Audience: "clientsd", Scopes: []string{"oauth:clients:manage", "oauth:clients:read"},
		Organisation: "acme", TTL: time.Hour,
	}
}

func mint(t *testing.T, i *issuer.Issuer, g issuer.Grant) string {
	t.Helper()
	token, err := i.Mint(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// parts are the header and the claims of a token, as they are written.
func parts(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	segments := strings.Split(token, ".")
	for i, target := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, target); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestMint_Claims(t *testing.T) {
	db, keyset := newDatabase(t)
	i := create(t, db, keyset)
	before := time.Now().Unix()
	token := mint(t, i, grant())
	header, claims := parts(t, token)
	if diff := cmp.Diff(map[string]any{"alg": "RS256", "kid": onlyKey(t, db).ID, "typ": "at+jwt"}, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	issued, _ := claims["iat"].(float64)
	if issued < float64(before) || issued > float64(time.Now().Unix()) {
		t.Errorf("issued at %v, minted at %v", issued, before)
	}
	id, _ := claims["jti"].(string)
	if uuid.Validate(id) != nil {
		t.Errorf("got jti %q", id)
	}
	want := map[string]any{
		"iss": i.Name(), "sub": "urn:xeonr:serviceaccount:1", "aud": []any{"clientsd"},
		"iat": issued, "nbf": issued, "exp": issued + 3600, "jti": id,
		"scope": "oauth:clients:manage oauth:clients:read", "urn:xeonr:auth:organisation_id": "acme",
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if _, again := parts(t, mint(t, i, grant())); again["jti"] == id {
		t.Error("two tokens have one id")
	}

	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(i.Key(t.Context(), onlyKey(t, db).ID)); err != nil {
		t.Errorf("the published key does not verify it: %v", err)
	}
}

func TestMint_NoOrganisation(t *testing.T) {
	db, keyset := newDatabase(t)
	g := grant()
	g.Organisation, g.Scopes = "", nil
	_, claims := parts(t, mint(t, create(t, db, keyset), g))
	if organisation, ok := claims["urn:xeonr:auth:organisation_id"]; ok || claims["scope"] != "" {
		t.Errorf("got organisation %v and scope %v", organisation, claims["scope"])
	}
}

func TestMint_TTLRange(t *testing.T) {
	db, keyset := newDatabase(t)
	i := create(t, db, keyset)
	for ttl, want := range map[time.Duration]string{
		time.Second:                 "",
		issuer.MaxTTL:               "",
		0:                           "mint token: ttl 0s is out of range, 1s to 30d is allowed",
		time.Second - 1:             "mint token: ttl 999.999999ms is out of range, 1s to 30d is allowed",
		-time.Hour:                  "mint token: ttl -1h0m0s is out of range, 1s to 30d is allowed",
		issuer.MaxTTL + time.Second: "mint token: ttl 720h0m1s is out of range, 1s to 30d is allowed",
		time.Duration(1<<63 - 1):    "mint token: ttl 2562047h47m16.854775807s is out of range, 1s to 30d is allowed",
	} {
		g := grant()
		g.TTL = ttl
		token, err := i.Mint(t.Context(), g)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want || token != "") {
			t.Errorf("ttl %v: got %q, error %v, want %s", ttl, token, err, want)
		}
	}
}
