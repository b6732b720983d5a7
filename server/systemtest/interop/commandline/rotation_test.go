package commandline_test

import (
	"fmt"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
)

func TestRotation_ReplacesTheSecret(t *testing.T) {
	s := start(t)
	token := s.token(t, all)
	eachTool(t, func(t *testing.T, use tool) {
		id, old := s.create(t, use, token)
		record := use.mustCall(t, s, token, clients+"RegenerateSecret", fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, id))
		fresh, _ := record["clientSecret"].(string)
		if fresh == "" || fresh == old {
			t.Fatalf("the new secret is %q, the old one %q", fresh, old)
		}
		if answer := s.verify(t, use, token, id, old); answer["valid"] == true {
			t.Errorf("the old secret is still valid: %v", answer)
		}
		want := map[string]any{"valid": true, "matched": "SECRET_MATCH_CURRENT", "secretVersion": "2"}
		if diff := cmp.Diff(want, s.verify(t, use, token, id, fresh)); diff != "" {
			t.Errorf("the new secret (-want +got):\n%s", diff)
		}
	})
}

func TestRotation_Refused(t *testing.T) {
	s := start(t)
	token := s.token(t, all)
	id, _ := s.create(t, tools()[0], token)
	publicID, _ := member(t, tools()[0].mustCall(t, s, token, clients+"CreateClient", public), "Client")["clientId"].(string)
	refusals := []struct {
		name, token, clientID string
		want                  failure
	}{
		{"without the scope", s.token(t, "oauth:clients:read"), id, failure{connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:rotate" or "oauth:clients:manage"`}},
		{"without a token", "", id, failure{connect.CodeUnauthenticated, "the request carries no access token"}},
		{"with a wrong token", "wrong", id, failure{connect.CodeUnauthenticated, "the access token is not a well-formed signed JWT"}},
		{"of an unknown client", token, "550e8400-e29b-41d4-a716-446655440000", failure{connect.CodeNotFound, "client not found"}},
		{"of a public client", token, publicID, failure{connect.CodeFailedPrecondition, "client is public: it has no secret"}},
	}
	for _, refusal := range refusals {
		t.Run(refusal.name, func(t *testing.T) {
			eachTool(t, func(t *testing.T, use tool) {
				_, got := use.call(t, s, refusal.token, clients+"RegenerateSecret", fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, refusal.clientID))
				if diff := cmp.Diff(refusal.want, got); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestCurl_ReceivesTheWholeRecord is the example of the contract's reference.
func TestCurl_ReceivesTheWholeRecord(t *testing.T) {
	s := start(t)
	token, curl := s.token(t, all+" admin"), tools()[0]
	id, _ := s.create(t, curl, token)
	logoURL := s.upload(t, curl, token, id)
	got := curl.mustCall(t, s, token, clients+"RegenerateSecret", fmt.Sprintf(`{"clientId": %q, "includeSecret": true}`, id))
	if len(got) != 25 { // the 23 of the reference, and secretVersion and secretCreatedAt of ours
		t.Errorf("the record has %d fields, want 25", len(got))
	}
	want := object(t, []byte("{"+settings+"}"))
	want["clientId"], want["logoUrl"] = id, logoURL
	for _, field := range []string{"clientSecret", "createdAt", "updatedAt", "secretCreatedAt", "secretVersion"} { // differ each time
		if text, _ := got[field].(string); text == "" {
			t.Errorf("%s is %v", field, got[field])
		}
		delete(got, field)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}
