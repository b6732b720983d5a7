package server_test

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
const badKey = "validation errors:\n - Idempotency-Key: must be 1 to 255 characters of printable ASCII"

func TestWhatIsAnIdempotencyKey(t *testing.T) {
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, manage)
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
				_, err := s.Clients(protocol, token).RegenerateSecret(keyed(t.Context(), tt.keys...), &apiv1.RegenerateSecretRequest{ClientId: id})
				if tt.ok {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					return
				}
				wantError(t, err, connect.CodeInvalidArgument, badKey)
				wantViolations(t, err, "Idempotency-Key")
				_, err = s.Clients(protocol, token).CreateClient(keyed(t.Context(), tt.keys...), servertest.Request())
				wantError(t, err, connect.CodeInvalidArgument, badKey)
				wantSameRow(t, before, s.Row(t, id))
			})
		})
	}
}

// What HTTP forbids in a header never gets as far as the service.
func TestAControlCharacterInAKeyIsRefused(t *testing.T) {
	s := servertest.Start(t)
	id, token := s.Create(t, servertest.Request()).GetClientId(), s.Token(t, faceScopes...)
	before := s.Row(t, id)
	for _, key := range []string{"a\x00b", "a\x1bb", "a\x7fb", "a\rb"} {
		got := send(t, s, httpPost("/client/"+id+"/regenerate-secret", "", jsonType, "Authorization: Bearer "+token, reqctx.IdempotencyHeader+": "+key))
		if got.status != http.StatusBadRequest {
			t.Errorf("%q: got status %d: %s", key, got.status, got.body)
		}
	}
	wantSameRow(t, before, s.Row(t, id))
}

func TestAKeyIsGoodForTheSameCallerOnly(t *testing.T) {
	r := startRemote(t)
	made := map[string]string{}
	create := func(name string, claims map[string]any) string {
		claims["scope"] = manage
		answer, err := r.Clients(over, r.sign(t, claims, nil)).CreateClient(keyed(t.Context(), "key"), servertest.Request())
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
	if id := create("a new token", map[string]any{"jti": "token-2", "scope": manage + " " + read}); made[id] != "a caller" {
		t.Errorf("the same caller with a new token has the result of %q", made[id])
	}
}

func TestARotationIsRepeatedOnEveryFace(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, faceScopes...)
	eachWay(t, func(t *testing.T, w way) {
		id, other := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.Request())
		c := attempt{token: token, clientID: id, header: []string{reqctx.IdempotencyHeader, w.name}}
		first := w.mustRotate(t, s, c)
		if again := w.mustRotate(t, s, c); again != first {
			t.Error("the repeated call has another secret")
		}
		wantOnlySecret(t, s, id, 2, first)
		wantEvents(t, s, id, "created 1 released", "secret_rotated 2 released", "secret_read 2 released")

		wantKeyRefused(t, s, w, attempt{token, other.GetClientId(), c.header}, keyRefusal{400, connect.CodeInvalidArgument, "IDEMPOTENCY_MISMATCH", mismatch})
		wantOnlySecret(t, s, other.GetClientId(), 1, other.GetClientSecret())
		rotate(t, s, id)
		wantKeyRefused(t, s, w, c, keyRefusal{409, connect.CodeFailedPrecondition, "SUPERSEDED", superseded})
		wantHistory(t, s, id, 3)
	})
}

// A keyRefusal is why a repeated call has no result. Vigilo has a status of its own.
type keyRefusal struct {
	vigilo          int
	code            connect.Code
	reason, message string
}

func wantKeyRefused(t *testing.T, s *servertest.Server, w way, c attempt, r keyRefusal) {
	t.Helper()
	_, got := w.rotate(t, s, c)
	want := told{Status: got.Status, Body: map[string]any{
		"code": float64(r.code), "message": r.message,
		"details": []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": r.reason, "domain": "clientsd", "metadata": map[string]any{},
		}},
	}}
	switch {
	case w.face == "vigilo":
		want = told{Status: r.vigilo, Body: map[string]any{"error": "invalid_request", "error_description": r.message}}
	case got.Status != 0: // not over RPC
		want.Status = restStatus[r.code]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}
