package server_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"clientsd/server/servertest"
)

// rotateSelf is the scope of a client that rotates its own secret.
const rotateSelf = "oauth:clients:rotate:self"

func TestTheScopeForRotatingOpensRegenerateSecretAndNothingElse(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, rotateOnly)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		opened := 0
		for _, o := range operations(t) {
			if permissions[o.String()].public {
				continue
			}
			client := s.Create(t, servertest.Request())
			before := s.Row(t, client.GetClientId())
			_, err := s.Call(t.Context(), protocol, token, o.method, o.request(t, client.GetClientId(), client.GetClientSecret()))
			if o.method.Name() != "RegenerateSecret" {
				wantError(t, err, connect.CodePermissionDenied, denied(permissions[o.String()].scopes[0]).Message)
				wantSameRow(t, before, s.Row(t, client.GetClientId()))
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", o, err)
			}
			opened++
		}
		if opened != 2 {
			t.Errorf("RegenerateSecret was called %d times, want without and with includeSecret", opened)
		}
	})
}

func TestTheScopesForRotatingDoNotOpenTheOtherFaces(t *testing.T) {
	r := startRemote(t)
	all := r.sign(t, claim("scope", manage), nil)
	client := r.CreateAs(t, all, servertest.Request())
	token := r.sign(t, map[string]any{"scope": rotateOnly + " " + rotateSelf, "client_id": client.GetClientId()}, nil)
	eachWay(t, func(t *testing.T, w way) {
		w.wantRefused(t, r.Server, attempt{token: token, clientID: client.GetClientId()},
			refusal{connect.CodePermissionDenied, denied(w.scopes[0]).Message, w.scopes[0]})
	})
	wantHistory(t, r.Server, client.GetClientId(), 1)
}

func TestAClientRotatesItsOwnSecretAndNoOther(t *testing.T) {
	r := startRemote(t)
	all := r.sign(t, claim("scope", manage), nil)
	client, other := r.CreateAs(t, all, servertest.Request()), r.CreateAs(t, all, servertest.Request())
	id, version := client.GetClientId(), int64(1)
	self := func(claims map[string]any) map[string]any {
		claims["scope"] = rotateSelf
		return claims
	}
	const refused = `the access token lacks the scope "oauth:clients:manage"`
	for _, tt := range []struct {
		name, target string
		claims       map[string]any
		code         connect.Code
		message      string
	}{
		{"itself", id, self(claim("client_id", id)), 0, ""},
		{"itself, its claim in capitals", id, self(claim("client_id", strings.ToUpper(id))), 0, ""},
		{"itself, named in capitals", strings.ToUpper(id), self(claim("client_id", id)), 0, ""},
		{"itself, whatever azp says", id, self(map[string]any{"client_id": id, "azp": other.GetClientId()}), 0, ""},
		{"another client", other.GetClientId(), self(claim("client_id", id)), connect.CodePermissionDenied, refused},
		{"another client, its own in azp", id, self(map[string]any{"client_id": other.GetClientId(), "azp": id}), connect.CodePermissionDenied, refused},
		{"no client that exists", uuid.NewString(), self(claim("client_id", id)), connect.CodePermissionDenied, refused},
		{"itself, without the claim", id, self(map[string]any{"client_id": nil, "azp": nil}), connect.CodePermissionDenied, refused},
		{"itself, with an empty claim", id, self(map[string]any{"client_id": "", "azp": nil}), connect.CodePermissionDenied, refused},
		{"nobody, with an empty claim", "", self(map[string]any{"client_id": "", "azp": nil}), connect.CodePermissionDenied, refused},
		{"itself, by its subject", id, self(map[string]any{"client_id": nil, "azp": nil, "sub": id}), connect.CodePermissionDenied, refused},
		{"itself, without the scope", id, map[string]any{"client_id": id, "scope": read}, connect.CodePermissionDenied, refused},
		{"itself, with a scope that goes on", id, map[string]any{"client_id": id, "scope": rotateSelf + "2"}, connect.CodePermissionDenied, refused},
		{
			"itself, from another organisation", id,
			self(map[string]any{"client_id": id, "urn:xeonr:auth:organisation_id": "other"}), connect.CodeNotFound, "client not found",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, protocol := range []servertest.Protocol{over, grpcProtocol} {
				answer, err := r.Clients(protocol, r.sign(t, tt.claims, nil)).RegenerateSecret(t.Context(), release(tt.target))
				if tt.code != 0 {
					wantError(t, err, tt.code, tt.message)
					continue
				}
				if version++; err != nil || answer.GetSecretVersion() != version || answer.GetClientSecret() == "" {
					t.Errorf("got version %d, error %v, want version %d and a secret", answer.GetSecretVersion(), err, version)
				}
			}
		})
	}
	wantHistory(t, r.Server, id, version)
	wantHistory(t, r.Server, other.GetClientId(), 1)
}

func TestTheScopeForRotatingItselfOpensNothingElse(t *testing.T) {
	r := startRemote(t)
	client := r.CreateAs(t, r.sign(t, claim("scope", manage), nil), servertest.Request())
	id := client.GetClientId()
	token := r.sign(t, map[string]any{"scope": rotateSelf, "client_id": id}, nil)
	for _, o := range operations(t) {
		if permissions[o.String()].public || o.method.Name() == "RegenerateSecret" {
			continue
		}
		_, err := r.Call(t.Context(), over, token, o.method, o.request(t, id, client.GetClientSecret()))
		wantError(t, err, connect.CodePermissionDenied, denied(permissions[o.String()].scopes[0]).Message)
	}
	wantHistory(t, r.Server, id, 1)
}

// A lost answer is no outage for a client that rotates itself, either.
func TestAClientRepeatsTheRotationOfItself(t *testing.T) {
	r := startRemote(t)
	id := r.CreateAs(t, r.sign(t, claim("scope", manage), nil), servertest.Request()).GetClientId()
	clients := r.Clients(over, r.sign(t, map[string]any{"scope": rotateSelf, "client_id": id}, nil))
	wantSame(t, mustRegenerate(t, clients, "key", release(id)), mustRegenerate(t, clients, "key", release(id)))
	_, err := r.Clients(over, r.sign(t, map[string]any{"scope": rotateSelf, "client_id": uuid.NewString()}, nil)).
		RegenerateSecret(keyed(t.Context(), "key"), release(id))
	wantError(t, err, connect.CodePermissionDenied, `the access token lacks the scope "oauth:clients:manage"`)
	if values := r.Events(t, id); len(values) != 3 || values[1].ActorClientID != id {
		t.Errorf("the events do not name the client as who did it: %v", values)
	}
}
