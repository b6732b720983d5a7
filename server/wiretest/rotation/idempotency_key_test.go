package rotation_test

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

// badKey is what a caller reads whose key is none.
const badKey = "validation error: Idempotency-Key: must be 1 to 255 characters of printable ASCII"

func TestIdempotencyKey_Syntax(t *testing.T) {
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, servertest.ScopeManage)
	for name, tt := range map[string]struct {
		keys []string
		ok   bool
	}{
		"one character":                 {[]string{"k"}, true},
		"255 characters":                {[]string{strings.Repeat("k", 255)}, true},
		"all that is printable":         {[]string{`"8e03978e-40d5-43dd-bc93-6894a57f9324" ~!,;=\`}, true},
		"empty":                         {[]string{""}, false},
		"only a space, which is empty":  {[]string{" "}, false},
		"256 characters":                {[]string{strings.Repeat("k", 256)}, false},
		"a tab inside":                  {[]string{"a\tb"}, false},
		"not ASCII":                     {[]string{"clé"}, false},
		"bytes that are no UTF-8":       {[]string{"\xff\xfe"}, false},
		"two headers":                   {[]string{"a", "b"}, false},
		"two headers with the same key": {[]string{"a", "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
				before := s.Row(t, id)
				_, err := s.Clients(protocol, token).RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), tt.keys...), &apiv1.RegenerateSecretRequest{ClientId: id})
				if tt.ok {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					return
				}
				servertest.WantError(t, err, connect.CodeInvalidArgument, badKey)
				servertest.WantViolations(t, err, "Idempotency-Key")
				_, err = s.Clients(protocol, token).CreateClient(servertest.WithIdempotencyKeys(t.Context(), tt.keys...), servertest.Request())
				servertest.WantError(t, err, connect.CodeInvalidArgument, badKey)
				servertest.WantSameRow(t, before, s.Row(t, id))
			})
		})
	}
}

// What HTTP forbids in a header never gets as far as the service.
func TestIdempotencyKey_ControlCharacters(t *testing.T) {
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, servertest.AllAPIs...)
	before := s.Row(t, id)
	for _, key := range []string{"a\x00b", "a\x1bb", "a\x7fb", "a\rb"} {
		got := s.Send(t, servertest.RawPost("/client/"+id+"/regenerate-secret", "", servertest.JSONType, "Authorization: Bearer "+token, reqctx.IdempotencyHeader+": "+key))
		if got.Status != http.StatusBadRequest {
			t.Errorf("%q: got status %d: %s", key, got.Status, got.Body)
		}
	}
	servertest.WantSameRow(t, before, s.Row(t, id))
}

func TestIdempotencyKey_OfAnotherCaller(t *testing.T) {
	r := servertest.StartRemote(t)
	made := map[string]string{}
	create := func(name string, claims map[string]any) string {
		claims["scope"] = servertest.ScopeManage
		answer, err := r.Clients(servertest.ConnectJSON, r.Sign(t, claims, nil)).CreateClient(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.Request())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return answer.GetClient().GetClientId()
	}
	for name, claims := range map[string]map[string]any{
		"a caller":             {},
		"another subject":      {"sub": "urn:xeonr:user:2"},
		"another organisation": {"urn:xeonr:auth:organisation_id": "other"},
		"another client":       {"client_id": "other"},
		"no client":            {"client_id": nil, "azp": nil},
	} {
		id := create(name, claims)
		if earlier, known := made[id]; known {
			t.Errorf("%s has the result of %s", name, earlier)
		}
		made[id] = name
		if create(name, claims) != id {
			t.Errorf("%s: the repeated call made another client", name)
		}
	}
	if id := create("a new token", map[string]any{"jti": "token-2", "scope": servertest.ScopeManage + " " + servertest.ScopeRead}); made[id] != "a caller" {
		t.Errorf("the same caller with a new token has the result of %q", made[id])
	}
}

func TestIdempotencyKey_OverEveryAPI(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	servertest.EachWay(t, func(t *testing.T, w servertest.Way) {
		id, other := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request())
		c := servertest.Attempt{Token: token, ClientID: id, Header: []string{reqctx.IdempotencyHeader, w.Name}}
		first := w.MustRotate(t, s, c)
		if again := w.MustRotate(t, s, c); again != first {
			t.Error("the repeated call has another secret")
		}
		s.WantOnlySecret(t, id, 2, first)
		s.WantEvents(t, id, "created 1 released", "secret_rotated 2 released", "secret_read 2 released")

		wantKeyRefused(t, s, w, servertest.Attempt{Token: token, ClientID: other.GetClientId(), Header: c.Header}, keyRefusal{400, connect.CodeInvalidArgument, "IDEMPOTENCY_MISMATCH", mismatch})
		s.WantOnlySecret(t, other.GetClientId(), 1, other.GetClientSecret())
		s.Rotate(t, id)
		wantKeyRefused(t, s, w, c, keyRefusal{409, connect.CodeFailedPrecondition, "SUPERSEDED", superseded})
		s.WantHistory(t, id, 3)
	})
}

// A keyRefusal is why a repeated call has no result. Vigilo has a status of its own.
type keyRefusal struct {
	vigilo          int
	code            connect.Code
	reason, message string
}

func wantKeyRefused(t *testing.T, s *servertest.Server, w servertest.Way, c servertest.Attempt, r keyRefusal) {
	t.Helper()
	_, got := w.Rotate(t, s, c)
	want := servertest.WireRefusal{Status: got.Status, Body: map[string]any{
		"code": float64(r.code), "message": r.message,
		"details": []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": r.reason, "domain": "clientsd", "metadata": map[string]any{},
		}},
	}}
	switch {
	case w.API == "vigilo":
		want = servertest.WireRefusal{Status: r.vigilo, Body: map[string]any{"error": "invalid_request", "error_description": r.message}}
	case got.Status != 0: // not over RPC
		want.Status = servertest.RESTStatus[r.code]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}
