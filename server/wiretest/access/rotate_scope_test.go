package access_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"clientsd/server/servertest"
)

// rotateSelf is the scope of a client that rotates its own secret.
const rotateSelf = "oauth:clients:rotate:self"

func TestRotateScope_OpensRegenerateSecretOnly(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.ScopeRotate)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		opened := 0
		for _, o := range servertest.Operations(t) {
			if permissions[o.String()].public {
				continue
			}
			client := s.Create(t, servertest.Request())
			before := s.Row(t, client.GetClientId())
			_, err := s.Call(t.Context(), protocol, token, o.Method, o.Request(t, client.GetClientId(), client.GetClientSecret()))
			if o.Method.Name() != "RegenerateSecret" {
				servertest.WantError(t, err, connect.CodePermissionDenied, permissions[o.String()].denied().Message)
				servertest.WantSameRow(t, before, s.Row(t, client.GetClientId()))
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

func TestRotateScope_DoesNotOpenOtherAPIs(t *testing.T) {
	r := servertest.StartRemote(t)
	all := r.Sign(t, claim("scope", servertest.ScopeManage), nil)
	client := r.CreateAs(t, all, servertest.Request())
	token := r.Sign(t, map[string]any{"scope": servertest.ScopeRotate + " " + rotateSelf, "client_id": client.GetClientId()}, nil)
	servertest.EachWay(t, func(t *testing.T, w servertest.Way) {
		w.WantRefused(t, r.Server, servertest.Attempt{Token: token, ClientID: client.GetClientId()},
			servertest.Lacking(w.Scopes...))
	})
	r.WantHistory(t, client.GetClientId(), 1)
}

func TestRotateSelf_OwnSecretOnly(t *testing.T) {
	r := servertest.StartRemote(t)
	all := r.Sign(t, claim("scope", servertest.ScopeManage), nil)
	client, other := r.CreateAs(t, all, servertest.Request()), r.CreateAs(t, all, servertest.Request())
	id, version := client.GetClientId(), int64(1)
	self := func(claims map[string]any) map[string]any {
		claims["scope"] = rotateSelf
		return claims
	}
	const (
		refused = `the access token lacks the scope "oauth:clients:rotate" or "oauth:clients:manage"`
		selfToo = `the access token lacks the scope "oauth:clients:rotate:self", "oauth:clients:rotate" or "oauth:clients:manage"`
	)
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
		{"itself, without the scope", id, map[string]any{"client_id": id, "scope": servertest.ScopeRead}, connect.CodePermissionDenied, selfToo},
		{"itself, with a scope that goes on", id, map[string]any{"client_id": id, "scope": rotateSelf + "2"}, connect.CodePermissionDenied, selfToo},
		{
			"itself, from another organisation", id,
			self(map[string]any{"client_id": id, "urn:xeonr:auth:organisation_id": "other"}), connect.CodeNotFound, "client not found",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, protocol := range []servertest.Protocol{servertest.ConnectJSON, servertest.GRPC} {
				answer, err := r.Clients(protocol, r.Sign(t, tt.claims, nil)).RegenerateSecret(t.Context(), servertest.RotateRequest(tt.target))
				if tt.code != 0 {
					servertest.WantError(t, err, tt.code, tt.message)
					continue
				}
				if version++; err != nil || answer.GetSecretVersion() != version || answer.GetClientSecret() == "" {
					t.Errorf("got version %d, error %v, want version %d and a secret", answer.GetSecretVersion(), err, version)
				}
			}
		})
	}
	r.WantHistory(t, id, version)
	r.WantHistory(t, other.GetClientId(), 1)
}

func TestRotateSelf_OpensNothingElse(t *testing.T) {
	r := servertest.StartRemote(t)
	client := r.CreateAs(t, r.Sign(t, claim("scope", servertest.ScopeManage), nil), servertest.Request())
	id := client.GetClientId()
	token := r.Sign(t, map[string]any{"scope": rotateSelf, "client_id": id}, nil)
	for _, o := range servertest.Operations(t) {
		if permissions[o.String()].public || o.Method.Name() == "RegenerateSecret" {
			continue
		}
		_, err := r.Call(t.Context(), servertest.ConnectJSON, token, o.Method, o.Request(t, id, client.GetClientSecret()))
		servertest.WantError(t, err, connect.CodePermissionDenied, permissions[o.String()].denied().Message)
	}
	r.WantHistory(t, id, 1)
}

// A lost answer is no outage for a client that rotates itself, either.
func TestRotateSelf_Repeated(t *testing.T) {
	r := servertest.StartRemote(t)
	id := r.CreateAs(t, r.Sign(t, claim("scope", servertest.ScopeManage), nil), servertest.Request()).GetClientId()
	clients := r.Clients(servertest.ConnectJSON, r.Sign(t, map[string]any{"scope": rotateSelf, "client_id": id}, nil))
	servertest.WantSameMessage(t, servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id)), servertest.RotateWithKey(t, clients, "key", servertest.RotateRequest(id)))
	_, err := r.Clients(servertest.ConnectJSON, r.Sign(t, map[string]any{"scope": rotateSelf, "client_id": uuid.NewString()}, nil)).
		RegenerateSecret(servertest.WithIdempotencyKeys(t.Context(), "key"), servertest.RotateRequest(id))
	servertest.WantError(t, err, connect.CodePermissionDenied, servertest.Denied(servertest.ScopeRotate, servertest.ScopeManage).Message)
	if values := r.Events(t, id); len(values) != 3 || values[1].ActorClientID != id {
		t.Errorf("the events do not name the client as who did it: %v", values)
	}
}
