// Package caller_test is a program of somebody else: a module of its own that
// imports the generated code and gets nothing else of clientsd with it.
package caller_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"connectrpc.com/connect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
)

// Handlers that implement nothing show that clients and handlers fit together.
func TestModule_UsesEveryService(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewClientsServiceHandler(apiv1connect.UnimplementedClientsServiceHandler{}))
	mux.Handle(clientsdv1connect.NewSecretsServiceHandler(clientsdv1connect.UnimplementedSecretsServiceHandler{}))
	mux.Handle(managementv1connect.NewManagementServiceHandler(managementv1connect.UnimplementedManagementServiceHandler{}))
	server := httptest.NewServer(mux)
	defer server.Close()

	clients := apiv1connect.NewClientsServiceClient(server.Client(), server.URL)
	secrets := clientsdv1connect.NewSecretsServiceClient(server.Client(), server.URL)
	management := managementv1connect.NewManagementServiceClient(server.Client(), server.URL)
	for name, call := range map[string]func() error{
		"RegenerateSecret": func() error {
			_, err := clients.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{IncludeSecret: true})
			return err
		},
		"VerifySecret": func() error {
			_, err := secrets.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{Secret: "s"})
			return err
		},
		"RegenerateOIDCClientSecret": func() error {
			_, err := management.RegenerateOIDCClientSecret(t.Context(), &managementv1.RegenerateOIDCClientSecretRequest{AppId: "a"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); connect.CodeOf(err) != connect.CodeUnimplemented {
				t.Errorf("got %v, want unimplemented", err)
			}
		})
	}
}

func TestModule_BringsOnlyGeneratedCode(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := 0
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.HasPrefix(name, "clientsd/") {
			continue
		}
		found++
		if !strings.HasPrefix(name, "clientsd/gen/go/") {
			t.Errorf("%s comes with the generated code", name)
		}
	}
	if found == 0 {
		t.Error("go list names no package of clientsd")
	}
}
