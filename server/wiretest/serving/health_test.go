package serving_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server"
	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

func TestHealth_LivezAndReadyz(t *testing.T) {
	s := servertest.Start(t)
	for _, path := range []string{"/livez", "/readyz"} {
		response, body := s.Get(t, path)
		if response.StatusCode != http.StatusOK || string(body) != "ok\n" || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %s: %s", path, response.Status, body)
		}
	}
	s.Exec(t, "DROP TABLE goose_db_version")
	response, body := s.Get(t, "/readyz")
	if response.StatusCode != http.StatusServiceUnavailable || string(body) != "the database does not answer\n" {
		t.Errorf("/readyz without a database: got %s: %s", response.Status, body)
	}
	if response, _ := s.Get(t, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("/livez without a database: got %s", response.Status)
	}
	if status, err := s.GRPCHealth(t, ""); status != notServing || err != nil {
		t.Errorf("gRPC health without a database: got status %d, error %v", status, err)
	}
}

// The statuses of grpc.health.v1.
const (
	serving    = 1
	notServing = 2
)

func TestHealth_GRPC(t *testing.T) {
	s := servertest.Start(t)
	for _, service := range []string{"", "xeonr.auth.api.v1.ClientsService", "clientsd.v1.SecretsService"} {
		if status, err := s.GRPCHealth(t, service); status != serving || err != nil {
			t.Errorf("service %q: got status %d, error %v", service, status, err)
		}
	}
	if _, err := s.GRPCHealth(t, "clientsd.v1.Other"); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("an unknown service: got error %v", err)
	}
}

// onlyAlpha is a client that finds no v1 of the reflection service.
type onlyAlpha struct{ *http.Client }

func (c onlyAlpha) Do(request *http.Request) (*http.Response, error) {
	if strings.HasPrefix(request.URL.Path, "/grpc.reflection.v1.") {
		request.URL.Path = "/not-found"
	}
	return c.Client.Do(request)
}

func TestReflection_ListsServices(t *testing.T) {
	s := servertest.Start(t)
	for name, client := range map[string]connect.HTTPClient{
		"v1": servertest.HTTPClient(true), "v1alpha": onlyAlpha{servertest.HTTPClient(true)},
	} {
		t.Run(name, func(t *testing.T) {
			stream := grpcreflect.NewClient(client, s.URL, connect.WithGRPC()).NewStream(t.Context())
			defer func() { _, _ = stream.Close() }() // what it says was said before
			services, err := stream.ListServices()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []protoreflect.FullName{
				"xeonr.auth.api.v1.ClientsService", "clientsd.v1.SecretsService", "grpc.health.v1.Health",
			} {
				if !slices.Contains(services, want) {
					t.Errorf("%s is not among %v", want, services)
				}
			}
			if version := strings.Split(stream.Spec().Procedure, ".")[2]; version != name {
				t.Errorf("spoke to %s", stream.Spec().Procedure)
			}
			if files, err := stream.FileContainingSymbol("xeonr.auth.api.v1.Client"); err != nil || len(files) == 0 {
				t.Errorf("got %d files, error %v", len(files), err)
			}
		})
	}
}

func TestJWKS_HasPublicKeysOnly(t *testing.T) {
	s := servertest.Start(t)
	response, body := s.Get(t, "/.well-known/jwks.json")
	if got := response.Header.Get("Content-Type"); got != "application/jwk-set+json" {
		t.Errorf("got Content-Type %q", got)
	}
	if got := response.Header.Values("Cache-Control"); !cmp.Equal(got, []string{"public, max-age=300"}) {
		t.Errorf("got Cache-Control %q", got)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("got %s (%v)", body, err)
	}
	key := set.Keys[0]
	if got := slices.Sorted(maps.Keys(key)); !cmp.Equal(got, []string{"alg", "e", "kid", "kty", "n", "use"}) {
		t.Errorf("got members %v", got)
	}
	const bytes2048 = 342 // characters of 2048 bits in base64url
	if key["kty"] != "RSA" || key["alg"] != "RS256" || key["use"] != "sig" || key["e"] != "AQAB" || len(key["n"]) != bytes2048 {
		t.Errorf("got %v", key)
	}
}

func TestRequestID_OnEveryAnswer(t *testing.T) {
	s := servertest.Start(t)
	for name, tt := range map[string]struct {
		sent string
		kept bool
	}{
		"none":                         {"", false},
		"a UUID":                       {uuid.NewString(), true},
		"letters, digits and . _ -":    {"aZ09._-", true},
		"64 characters":                {strings.Repeat("a", 64), true},
		"65 characters":                {strings.Repeat("a", 65), false},
		"a space":                      {"a b", false},
		"something that is no ASCII":   {"ä", false},
		"what would begin a new field": {`a","level":"ERROR`, false},
	} {
		for _, path := range []string{
			"/livez", "/nothing", servertest.ClientsPath + "GetClient", "/logos/x/y.png", servertest.VigiloPath("x"), servertest.ZitadelPath("x", "y"), "//", "/openapi.yaml",
		} {
			t.Run(name+", "+path, func(t *testing.T) {
				response, _ := s.Get(t, path, reqctx.IDHeader, tt.sent)
				got := response.Header.Get(reqctx.IDHeader)
				if tt.kept != (got == tt.sent) || !tt.kept && uuid.Validate(got) != nil {
					t.Errorf("sent %q, got %q", tt.sent, got)
				}
			})
		}
	}
}

func TestRequestID_InEveryProtocol(t *testing.T) {
	s := servertest.Start(t)
	servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set(reqctx.IDHeader, "call-17")
		_, err := s.Clients(protocol, "").GetPublicClients(ctx, &apiv1.GetPublicClientsRequest{ClientId: []string{uuid.NewString()}})
		if got := info.ResponseHeader().Get(reqctx.IDHeader); err != nil || got != "call-17" {
			t.Errorf("got id %q, error %v", got, err)
		}
		for what, token := range map[string]string{"not let in": "bad", "let in": s.Token(t, servertest.All...)} {
			ctx, info := connect.NewClientContext(t.Context())
			info.RequestHeader().Set(reqctx.IDHeader, "call-17")
			_, err := s.Clients(protocol, token).GetClient(ctx, &apiv1.GetClientRequest{ClientId: uuid.NewString()})
			var refused *connect.Error
			if !errors.As(err, &refused) || refused.Meta().Get(reqctx.IDHeader) != "call-17" {
				t.Errorf("%s: got error %v with metadata %v", what, err, refused.Meta())
			}
		}
	})
}

func TestRequestID_InTheEvent(t *testing.T) {
	s := servertest.Start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+servertest.ClientsPath+"CreateClient", strings.NewReader(servertest.RequestJSON(t)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.Token(t, servertest.All...))
	request.Header.Set(reqctx.IDHeader, "call-17")
	_, body := servertest.Do(t, request)
	id, _ := servertest.Member(t, servertest.Object(t, body), "Client")["clientId"].(string)
	if got := s.Events(t, id)[0].RequestID; got != "call-17" {
		t.Errorf("the event has request id %q", got)
	}
}

// Behind a proxy the service is not reached where it listens.
func TestPublicURL_NamesLogos(t *testing.T) {
	address := servertest.ReservedAddr(t)
	s := servertest.Start(t, func(c *server.Config) { c.Addr, c.PublicURL = address, "https://clients.example.com/base/" })
	if s.URL != "https://clients.example.com/base" {
		t.Errorf("the server calls itself %q", s.URL)
	}
	s.URL = "http://" + address
	id := s.Create(t, servertest.Request()).GetClientId()
	location := s.UploadLogo(t, id)
	path, found := strings.CutPrefix(location, "https://clients.example.com/base/logos/"+id+"/")
	if !found {
		t.Errorf("the logo is at %q", location)
	}
	if response, _ := s.Get(t, "/logos/"+id+"/"+path); response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
	_, err := s.ClientsService(t).UpdateClient(t.Context(), &apiv1.UpdateClientRequest{ClientId: id, LogoUrl: &location})
	if err != nil {
		t.Errorf("an update that keeps the logo: %v", err)
	}
}
