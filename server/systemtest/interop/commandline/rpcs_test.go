package commandline_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
)

func TestGrpcurl_ListsAndDescribesTheServices(t *testing.T) {
	s := start(t)
	got := strings.Fields(s.grpcurl(t, "list"))
	want := []string{
		"clientsd.v1.SecretsService", "grpc.health.v1.Health",
		"xeonr.auth.api.v1.ClientsService", "zitadel.management.v1.ManagementService",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grpcurl list (-want +got):\n%s", diff)
	}
	description := s.grpcurl(t, "describe", "xeonr.auth.api.v1.ClientsService")
	if got := strings.Count(description, "\n  rpc "); got != 8 {
		t.Errorf("grpcurl describe names %d RPCs, want 8:\n%s", got, description)
	}
	rotation := "rpc RegenerateSecret ( .xeonr.auth.api.v1.RegenerateSecretRequest ) returns ( .xeonr.auth.api.v1.Client );"
	if !strings.Contains(description, rotation) {
		t.Errorf("grpcurl describe does not say %q:\n%s", rotation, description)
	}
}

// grpcurl asks about the service, without a token.
func (s *service) grpcurl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "grpcurl", append([]string{"-plaintext", s.host()}, args...)...).Output()
	if err != nil {
		t.Fatalf("grpcurl %v: %v", args, err)
	}
	return string(out)
}

func TestRPCs_EveryOtherAnswers(t *testing.T) {
	s := start(t)
	token := s.token(t, all)
	eachTool(t, func(t *testing.T, use tool) {
		id, _ := s.create(t, use, token)
		named := fmt.Sprintf(`{"clientId": %q}`, id)
		if got := use.mustCall(t, s, token, clients+"UpdateClient", fmt.Sprintf(`{"clientId": %q, "name": "Renamed"}`, id)); member(t, got, "client")["name"] != "Renamed" {
			t.Errorf("UpdateClient answers %v", got)
		}
		if got := use.mustCall(t, s, token, clients+"GetClient", named); member(t, got, "Client")["name"] != "Renamed" {
			t.Errorf("GetClient answers %v", got)
		}
		if got, _ := use.mustCall(t, s, token, clients+"ListClients", `{"applicationId": "app_prod_myapp"}`)["Clients"].([]any); len(got) == 0 {
			t.Error("ListClients answers no client")
		}
		s.upload(t, use, token, id)
		if got := use.mustCall(t, s, "", clients+"GetPublicClients", fmt.Sprintf(`{"clientId": [%q]}`, id)); member(t, got, "clients")[id] == nil {
			t.Errorf("GetPublicClients answers %v", got)
		}
		use.mustCall(t, s, token, clients+"DeleteClient", named)
		if _, got := use.call(t, s, token, clients+"GetClient", named); got.Code != connect.CodeNotFound {
			t.Errorf("GetClient of a deleted client fails with %v: %s", got.Code, got.Message)
		}
	})
}
