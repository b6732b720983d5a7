package auth_test

import (
	"encoding/json"
	"testing"

	"clientsd/server/auth/authtest"
)

const (
	claimsMalformed    = "the claims of the access token are malformed"
	wrongIssuer        = "the access token is from an issuer that is not trusted"
	wrongAudience      = "the access token is meant for another audience (claim aud)"
	noAudience         = "the access token names no audience (claim aud)"
	notAudiences       = "the claim aud of the access token is neither a string nor a list of strings"
	expired            = "the access token has expired"
	dateRange          = "the access token has a date that is out of range" // and the claim
	noSubject          = "the access token has no usable subject (claim sub)"
	noClient           = "the access token names no usable client (claim client_id)"
	noApplication      = "the access token names no usable application (claim urn:xeonr:auth:application_id)"
	noOrganisation     = "the access token names no usable organisation (claim urn:xeonr:auth:organisation_id)"
	organisationClaim  = "urn:xeonr:auth:organisation_id"
	applicationIDClaim = "urn:xeonr:auth:application_id"
)

// claim is a good token but for one claim; nil leaves it out.
type claim struct {
	name  string
	claim string
	value any
	want  string
}

func testClaims(t *testing.T, tests []claim) {
	t.Helper()
	tokens := make([]hostile, 0, len(tests))
	for _, tt := range tests {
		tokens = append(tokens, hostile{tt.name, goodToken(t, map[string]any{tt.claim: tt.value}), tt.want})
	}
	testHostile(t, newConfig(t), tokens)
}

func TestVerifyRefusesDates(t *testing.T) {
	t.Parallel()
	testClaims(t, []claim{
		{"no exp", "exp", nil, "the access token has no expiry date (claim exp)"},
		{"a null exp", "exp", json.RawMessage("null"), "the access token has no expiry date (claim exp)"},
		{"exp 30 s ago", "exp", now.Unix() - 30, expired},
		{"exp 31 s ago", "exp", now.Unix() - 31, expired},
		{"exp 29.5 s ago, rounded the careful way", "exp", float64(now.Unix()) - 29.5, expired},
		{"an exp of zero", "exp", 0, expired},
		{"a negative exp", "exp", -1, dateRange + " (claim exp)"},
		{"an exp after the year 9999", "exp", 253402300800, dateRange + " (claim exp)"},
		{"an exp that overflows int64", "exp", json.RawMessage("9223372036854775808"), dateRange + " (claim exp)"},
		{"an exp of 1e300", "exp", json.RawMessage("1e300"), dateRange + " (claim exp)"},
		{"an exp that overflows float64", "exp", json.RawMessage("1e999"), "the claim exp of the access token is not a usable number"},
		{"an exp that is a string", "exp", "4102444800", "the claim exp of the access token is not a usable number"},
		{"an exp that is a boolean", "exp", true, "the claim exp of the access token is not a usable number"},
		{"nbf in 31 s", "nbf", now.Unix() + 31, "the access token is not valid yet"},
		{"a negative nbf", "nbf", -1, dateRange + " (claim nbf)"},
		{"an nbf of 1e300", "nbf", json.RawMessage("1e300"), dateRange + " (claim nbf)"},
		{"an nbf that is a string", "nbf", "0", "the claim nbf of the access token is not a usable number"},
		{"iat in 31 s", "iat", now.Unix() + 31, "the access token was issued in the future"},
		{"a negative iat", "iat", -1, dateRange + " (claim iat)"},
		{"an iat that is an object", "iat", map[string]any{}, "the claim iat of the access token is not a usable number"},
	})
}

func TestVerifyRefusesIssuersAndAudiences(t *testing.T) {
	t.Parallel()
	testClaims(t, []claim{
		{"no issuer", "iss", nil, wrongIssuer},
		{"an empty issuer", "iss", "", wrongIssuer},
		{"another issuer", "iss", "https://attacker.example", wrongIssuer},
		{"the issuer with a slash at the end", "iss", issuer + "/", wrongIssuer},
		{"the issuer in capitals", "iss", "HTTPS://ISSUER.EXAMPLE.COM/tenant", wrongIssuer},
		{"the issuer without its path", "iss", "https://issuer.example.com", wrongIssuer},
		{"an issuer that is a list", "iss", []string{issuer}, "the claim iss of the access token is not a string"},
		{"no audience", "aud", nil, noAudience},
		{"a null audience", "aud", json.RawMessage("null"), noAudience},
		{"an empty audience", "aud", "", wrongAudience},
		{"an empty list of audiences", "aud", []string{}, wrongAudience},
		{"another audience", "aud", []string{"https://other.example.com"}, wrongAudience},
		{"an audience that only starts like ours", "aud", audience + "/x", wrongAudience},
		{"our audience and a space", "aud", audience + " ", wrongAudience},
		{"an audience that is an object", "aud", map[string]any{audience: true}, notAudiences},
		{"a list of numbers as the audience", "aud", []int{1, 2}, notAudiences},
		{"our audience beside a number", "aud", []any{audience, 1}, notAudiences},
	})
}

func TestVerifyRefusesNames(t *testing.T) {
	t.Parallel()
	testClaims(t, []claim{
		{"no subject", "sub", nil, noSubject},
		{"an empty subject", "sub", "", noSubject},
		{"a subject of 257 bytes", "sub", text(257), noSubject},
		{"a subject with a line break", "sub", "user\nadmin", noSubject},
		{"a subject with a NUL", "sub", "user\x00", noSubject},
		{"a subject that turns the text around", "sub", "user\u202e", noSubject},
		{"a subject with half a surrogate pair", "sub", json.RawMessage(`"user\ud800"`), noSubject},
		{"a subject that is a number", "sub", 7, "the claim sub of the access token is not a string"},
		{"a scope that is a list of numbers", "scope", []int{1}, "the claim scope of the access token is neither a string nor a list of strings"},
		{"a scope that is an object", "scope", map[string]any{"admin": true}, "the claim scope of the access token is neither a string nor a list of strings"},
		{"a client id that is a number", "client_id", 7, "the claim client_id of the access token is not a string"},
		{"a client id with a tab", "client_id", "console\t", noClient},
		{"an application of 257 bytes", applicationIDClaim, text(257), noApplication},
		{"an empty organisation", organisationClaim, "", noOrganisation},
		{"an organisation of 129 bytes", organisationClaim, text(129), noOrganisation},
		{"an organisation with a line break", organisationClaim, "acme\r\n", noOrganisation},
		{"an organisation that is a number", organisationClaim, 7, "the claim urn:xeonr:auth:organisation_id of the access token is not a string"},
		{"an organisation that is a list", organisationClaim, []string{"acme", "other"}, "the claim urn:xeonr:auth:organisation_id of the access token is not a string"},
	})
}

func TestVerifyRefusesPayloads(t *testing.T) {
	t.Parallel()
	raw := func(payload string) string {
		return trustedKey(t).SignRaw(t, []byte(`{"alg":"RS256","kid":"key-1"}`), []byte(payload))
	}
	good := string(authtest.Marshal(t, goodClaims(nil)))
	testHostile(t, newConfig(t), []hostile{
		{"a payload that is no JSON", raw("sub=user"), claimsMalformed},
		{"a payload that is null", raw("null"), claimsMalformed},
		{"a payload that is a list", raw("[" + good + "]"), claimsMalformed},
		{"two payloads", raw(good + good), claimsMalformed},
		{"a payload cut off", raw(good[:len(good)-1]), claimsMalformed},
		{"a claim named twice", raw(`{"sub":"someone else",` + good[1:]), claimsMalformed},
		{"a claim named twice, once in escapes", raw(`{"\u0073ub":"someone else",` + good[1:]), claimsMalformed},
		{"claim names in capitals", raw(`{"ISS":"` + issuer + `"}`), wrongIssuer},
		{"a payload nested too deep", raw(nested(5000)), claimsMalformed},
	})
}

func TestVerifyRefusesATokenWithoutOrganisationWhenOneIsRequired(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	cfg.RequireOrganisation = true
	testHostile(t, cfg, []hostile{
		{"no organisation", goodToken(t, map[string]any{organisationClaim: nil}), noOrganisation},
		{"a null organisation", goodToken(t, map[string]any{organisationClaim: json.RawMessage("null")}), noOrganisation},
	})
	if _, err := newVerifier(t, cfg).Verify(t.Context(), goodToken(t, nil)); err != nil {
		t.Errorf("token with an organisation: %v", err)
	}
}

func nested(depth int) string {
	open := make([]byte, depth)
	for i := range open {
		open[i] = '['
	}
	return `{"iss":` + string(open)
}
