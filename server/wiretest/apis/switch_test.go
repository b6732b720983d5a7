package apis_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/server"
	"clientsd/server/servertest"
)

// rpcService is the service of each API that has one.
var rpcService = map[string]string{
	"xeonr":   "xeonr.auth.api.v1.ClientsService",
	"zitadel": "zitadel.management.v1.ManagementService",
}

func TestAPIFlag_ServesWhatItNames(t *testing.T) {
	first := servertest.Start(t)
	id := first.Create(t, servertest.Request()).GetClientId()
	first.Stop(t)
	all := []string{"xeonr", "zitadel", "vigilo"}
	for name, apis := range map[string][]string{
		"all by default":  nil,
		"without xeonr":   {"zitadel", "vigilo"},
		"without zitadel": {"vigilo", "xeonr"},
		"without vigilo":  {"xeonr", "zitadel"},
		"xeonr alone":     {"xeonr"},
		"vigilo alone":    {"vigilo"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Start(t, servertest.InDir(first.Dir), func(c *server.Config) { c.APIs = apis })
			defer s.Stop(t) // before the next one starts on the same folder
			want := map[string]bool{}
			for _, api := range all {
				want[api] = apis == nil || slices.Contains(apis, api)
			}
			if diff := cmp.Diff(want, apisServed(t, s, id)); diff != "" {
				t.Errorf("APIs that answer (-want +got):\n%s", diff)
			}
			wantServices(t, s, want)
		})
	}
}

// apisServed rotates the secret of a client over every way. The ways of an API
// must agree.
func apisServed(t *testing.T, s *servertest.Server, clientID string) map[string]bool {
	t.Helper()
	token := s.Token(t, servertest.AllAPIs...)
	served := map[string]bool{"vigilo": true, "zitadel": true}
	for api, paths := range map[string][]string{
		"vigilo":  {"/client/" + clientID + "/regenerate-secret", "/clients/" + clientID + "/regenerate-secret"},
		"zitadel": {servertest.ZitadelPath(servertest.Application, clientID)},
	} {
		for _, path := range paths {
			response, body := servertest.Do(t, s.NewRequest(t, path, token, nil))
			if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
				t.Errorf("%s: got %s: %s", path, response.Status, body)
			}
			served[api] = served[api] && response.StatusCode == http.StatusOK
		}
	}
	xeonr := true
	for _, protocol := range servertest.Protocols() {
		_, err := s.Management(protocol, token).RegenerateOIDCClientSecret(t.Context(),
			&managementv1.RegenerateOIDCClientSecretRequest{ProjectId: servertest.Application, AppId: clientID})
		served["zitadel"] = answers(t, err) && served["zitadel"]
		_, err = s.Clients(protocol, token).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{ClientId: clientID})
		xeonr = answers(t, err) && xeonr
	}
	served["xeonr"] = xeonr
	return served
}

// answers says whether there is such a method.
func answers(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Errorf("got error %v, want none or unimplemented", err)
	}
	return err == nil
}

// wantServices fails the test unless health checks and reflection know exactly
// these APIs, and what belongs to none.
func wantServices(t *testing.T, s *servertest.Server, served map[string]bool) {
	t.Helper()
	want := map[protoreflect.FullName]bool{"grpc.health.v1.Health": true, "clientsd.v1.SecretsService": true}
	for api, service := range rpcService {
		if served[api] {
			want[protoreflect.FullName(service)] = true
		}
		if _, err := s.GRPCHealth(t, service); (err == nil) != served[api] {
			t.Errorf("the health of %s: got error %v", service, err)
		}
	}
	stream := grpcreflect.NewClient(servertest.HTTPClient(true), s.URL, connect.WithGRPC()).NewStream(t.Context())
	defer func() { _, _ = stream.Close() }() // what it says was said before
	got, err := stream.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
		t.Errorf("services that reflection knows (-want +got):\n%s", diff)
	}
}

func TestAPIFlag_UnknownNameIsRefused(t *testing.T) {
	for _, name := range []string{"keycloak", "", "Zitadel", "xeonr,zitadel"} {
		err := server.Config{Addr: "127.0.0.1:0", APIs: []string{"xeonr", name}}.Validate()
		want := `--api "` + name + `": must be one of xeonr, zitadel, vigilo`
		if err == nil || err.Error() != want {
			t.Errorf("got error %v\nwant %s", err, want)
		}
	}
}
