package rotation_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/servertest"
)

func TestVerifySecret_CurrentSecret(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, auth.ScopeVerify)
	made := s.Create(t, servertest.Request())
	current := s.Rotate(t, made.GetClientId())
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			for text, want := range map[string]*clientsdv1.VerifySecretResponse{
				made.GetClientSecret(): {Matched: clientsdv1.SecretMatch_SECRET_MATCH_NONE},
				current:                {Valid: true, Matched: clientsdv1.SecretMatch_SECRET_MATCH_CURRENT, SecretVersion: 2},
			} {
				got, err := s.Secrets(protocol, token).VerifySecret(t.Context(),
					&clientsdv1.VerifySecretRequest{ClientId: made.GetClientId(), Secret: text})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestVerifySecret_SameBytesWhateverIsWrong(t *testing.T) {
	s := servertest.Start(t)
	mine, other := s.Create(t, servertest.Request()), s.Create(t, servertest.Request())
	public := s.Create(t, servertest.PublicRequest())
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	right := mine.GetClientSecret()
	tests := map[string]struct{ id, secret string }{
		"a client that does not exist":                      {uuid.NewString(), right},
		"a client of another organisation, its own secret":  {foreign.GetClientId(), foreign.GetClientSecret()},
		"a public client":                                   {public.GetClientId(), right},
		"a well-formed secret that was never issued":        {mine.GetClientId(), secret.Generate("sk_live_").Reveal()},
		"the secret of another client":                      {mine.GetClientId(), other.GetClientSecret()},
		"a text that is no secret":                          {mine.GetClientId(), "password"},
		"a text as long as allowed":                         {mine.GetClientId(), strings.Repeat("🦊", 256)},
		"the secret with a space behind it":                 {mine.GetClientId(), right + " "},
		"the secret with a line break behind it":            {mine.GetClientId(), right + "\n"},
		"the secret without its prefix":                     {mine.GetClientId(), strings.TrimPrefix(right, "sk_live_")},
		"the secret without its end":                        {mine.GetClientId(), right[:len(right)-1]},
		"the secret in capitals":                            {mine.GetClientId(), strings.ToUpper(right)},
		"a text that no client without a digest must match": {public.GetClientId(), "0"},
	}
	token := s.Token(t, auth.ScopeVerify)
	_, want := s.PostJSON(t, servertest.VerifySecretPath, token, fmt.Sprintf(`{"clientId": %q, "secret": "wrong"}`, mine.GetClientId()))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			response, got := s.PostJSON(t, servertest.VerifySecretPath, token, fmt.Sprintf(`{"clientId": %q, "secret": %q}`, tt.id, tt.secret))
			if response.StatusCode != http.StatusOK || string(got) != string(want) {
				t.Errorf("got %s: %s\nwant %s", response.Status, got, want)
			}
		})
	}
	if !s.Verify(t, mine.GetClientId(), right).GetValid() {
		t.Error("the right secret does not verify")
	}
}

func TestVerifySecret_InvalidRequest(t *testing.T) {
	s := servertest.Start(t)
	id := uuid.NewString()
	for name, tt := range map[string]struct {
		request *clientsdv1.VerifySecretRequest
		field   string
	}{
		"no client":                  {&clientsdv1.VerifySecretRequest{Secret: "x"}, "client_id"},
		"a client id that is none":   {&clientsdv1.VerifySecretRequest{ClientId: "app", Secret: "x"}, "client_id"},
		"no secret":                  {&clientsdv1.VerifySecretRequest{ClientId: id}, "secret"},
		"a secret of 257 characters": {&clientsdv1.VerifySecretRequest{ClientId: id, Secret: strings.Repeat("🦊", 257)}, "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Secrets(servertest.ConnectJSON, s.Token(t, auth.ScopeVerify)).VerifySecret(t.Context(), tt.request)
			servertest.WantViolations(t, err, tt.field)
		})
	}
}

// The test writes the overlap into the row, because no call sets one that has
// already ended. It must end when it says, and a rotation without one must end it.
func TestVerifySecret_PreviousSecretUntilItExpires(t *testing.T) {
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	id := made.GetClientId()
	current := s.Rotate(t, id)
	overlap := func(until time.Time) {
		plain, err := secret.Parse(made.GetClientSecret())
		if err != nil {
			t.Fatal(err)
		}
		digest := secret.DigestOf(uuid.MustParse(id), plain)
		s.Exec(t, "UPDATE oauth_clients SET previous_secret_digest = ?, previous_secret_expires_at = ? WHERE id = ?", digest[:], until.UTC(), id)
	}

	overlap(time.Now().Add(time.Hour))
	want := &clientsdv1.VerifySecretResponse{Valid: true, Matched: clientsdv1.SecretMatch_SECRET_MATCH_PREVIOUS, SecretVersion: 1}
	if diff := cmp.Diff(want, s.Verify(t, id, made.GetClientSecret()), protocmp.Transform()); diff != "" {
		t.Errorf("inside the overlap (-want +got):\n%s", diff)
	}
	s.WantOnlySecret(t, id, 2, current)

	overlap(time.Now().Add(-time.Second))
	s.WantOnlySecret(t, id, 2, current, made.GetClientSecret())

	overlap(time.Now().Add(time.Hour))
	s.WantOnlySecret(t, id, 3, s.Rotate(t, id), current, made.GetClientSecret())
}

func TestVerifySecret_NeedsItsScope(t *testing.T) {
	s := servertest.Start(t)
	_, err := s.Secrets(servertest.ConnectJSON, s.Token(t, auth.ScopeManage, auth.ScopeRead, auth.ScopeAdmin)).VerifySecret(t.Context(),
		&clientsdv1.VerifySecretRequest{ClientId: uuid.NewString(), Secret: "x"})
	servertest.WantError(t, err, connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:verify"`)
}
