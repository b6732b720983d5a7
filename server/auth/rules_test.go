package auth_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/server/auth"
)

const (
	clientsService = "/xeonr.auth.api.v1.ClientsService/"
	verifyPath     = "/clientsd.v1.SecretsService/VerifySecret"
	findPath       = "/clientsd.v1.SecretsService/FindSecret"
	zitadelPath    = "/zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"
)

func TestRules_CoverEveryProcedure(t *testing.T) {
	t.Parallel()
	var procedures []string
	for _, file := range []protoreflect.FileDescriptor{
		apiv1.File_xeonr_auth_api_v1_clients_service_proto,
		clientsdv1.File_clientsd_v1_secrets_service_proto,
		managementv1.File_zitadel_management_v1_management_proto,
	} {
		for i := range file.Services().Len() {
			procedures = append(procedures, proceduresOf(t, file.Services().Get(i))...)
		}
	}
	slices.Sort(procedures)
	rules := slices.Sorted(maps.Keys(auth.NewRules("")))
	if diff := cmp.Diff(procedures, rules); diff != "" {
		t.Errorf("procedures (-) and rules (+):\n%s", diff)
	}
}

func proceduresOf(t *testing.T, service protoreflect.ServiceDescriptor) []string {
	t.Helper()
	procedures := make([]string, 0, service.Methods().Len())
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		if method.IsStreamingClient() || method.IsStreamingServer() {
			t.Errorf("%s is streaming: the interceptor denies it", method.FullName())
		}
		procedures = append(procedures, "/"+string(service.FullName())+"/"+string(method.Name()))
	}
	return procedures
}

func TestAuthorise(t *testing.T) {
	t.Parallel()
	var (
		plain      = &apiv1.GetClientRequest{}
		withSecret = &apiv1.GetClientRequest{IncludeSecret: true}
	)
	const (
		read, manage, verify = `scope "oauth:clients:read"`, `scope "oauth:clients:manage"`, `scope "oauth:clients:verify"`
		both                 = `scopes "oauth:clients:read" and "oauth:clients:manage"`
	)
	// A row says which of these scopes, each alone, open the procedure.
	all := []string{
		auth.ScopeRead, auth.ScopeManage, auth.ScopeVerify, auth.ScopeAdmin, auth.ScopeRead + " " + auth.ScopeManage,
		auth.ScopeAppWrite, auth.ScopeClientManage, auth.ScopeRead + " " + auth.ScopeVerify,
	}
	tests := []struct {
		name, procedure string
		msg             any
		opens           []string
		denied          string
	}{
		{"RegenerateSecret", clientsService + "RegenerateSecret", &apiv1.RegenerateSecretRequest{}, []string{all[1], all[4]}, `scope "oauth:clients:rotate" or "oauth:clients:manage"`},
		{"CreateClient", clientsService + "CreateClient", nil, []string{all[1], all[4]}, manage},
		{"UpdateClient", clientsService + "UpdateClient", nil, []string{all[1], all[4]}, manage},
		{"DeleteClient", clientsService + "DeleteClient", nil, []string{all[1], all[4]}, manage},
		{"UploadClientLogo", clientsService + "UploadClientLogo", nil, []string{all[1], all[4]}, manage},
		{"ListClients", clientsService + "ListClients", nil, []string{all[0], all[4], all[7]}, read},
		{"GetClient", clientsService + "GetClient", plain, []string{all[0], all[4], all[7]}, read},
		{"GetClient with the secret", clientsService + "GetClient", withSecret, []string{all[4]}, both},
		{"GetClient with an unexpected message", clientsService + "GetClient", "?", []string{all[4]}, both},
		{"VerifySecret", verifyPath, nil, []string{all[2], all[7]}, verify},
		{"FindSecret", findPath, nil, []string{all[7]}, `scopes "oauth:clients:read" and "oauth:clients:verify"`},
		{"RegenerateOIDCClientSecret", zitadelPath, nil, []string{all[1], all[4], all[5]}, `scope "project.app.write" or "oauth:clients:manage"`},
		{"GetPublicClients", clientsService + "GetPublicClients", nil, all, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, scopes := range all {
				err := auth.NewRules("").Authorise(authenticated(t, scopes), tt.procedure, tt.msg)
				if slices.Contains(tt.opens, scopes) != (err == nil) {
					t.Errorf("with scope %q: got error %v", scopes, err)
				}
			}
			err := auth.NewRules("").Authorise(authenticated(t, ""), tt.procedure, tt.msg)
			wantScopeError(t, err, tt.denied)
		})
	}
}

func TestGetClientNamesTheScopeThatIsMissingForTheSecret(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ readScope, has, lacks string }{
		"manage by default":           {"", auth.ScopeRead, auth.ScopeManage},
		"manage does not imply read":  {"", auth.ScopeManage, auth.ScopeRead},
		"another scope if configured": {"secrets:read", auth.ScopeRead + " " + auth.ScopeManage, "secrets:read"},
		"read if configured":          {auth.ScopeRead, auth.ScopeRead, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg, lacks := &apiv1.GetClientRequest{IncludeSecret: true}, ""
			if tt.lacks != "" {
				lacks = `scope "` + tt.lacks + `"`
			}
			err := auth.NewRules(tt.readScope).Authorise(authenticated(t, tt.has), clientsService+"GetClient", msg)
			wantScopeError(t, err, lacks)
		})
	}
}

func TestAuthoriseFailsClosed(t *testing.T) {
	t.Parallel()
	ctx := authenticated(t, auth.ScopeManage+" "+auth.ScopeAdmin)
	for _, procedure := range []string{
		"", "/", clientsService + "Rotate", clientsService + "getclient", "/x" + clientsService + "GetPublicClients",
		strings.TrimPrefix(clientsService, "/") + "GetPublicClients",
	} {
		if err := auth.NewRules("").Authorise(ctx, procedure, nil); !errors.Is(err, auth.ErrNotAllowed) {
			t.Errorf("procedure %q: got error %v, want ErrNotAllowed", procedure, err)
		}
	}
	if err := auth.NewRules("").Authorise(t.Context(), verifyPath, nil); !errors.Is(err, auth.ErrNoToken) {
		t.Errorf("no caller: got error %v, want ErrNoToken", err)
	}
	if err := (auth.Rules{"/a/B": {}}).Authorise(ctx, "/a/B", nil); err == nil {
		t.Error("a rule without a scope opens the procedure")
	}
}

// wantScopeError fails the test unless the error says that the token lacks this, or
// is nil for an empty text.
func wantScopeError(t *testing.T, err error, lacks string) {
	t.Helper()
	if lacks == "" {
		if err != nil {
			t.Errorf("got error %v, want none", err)
		}
		return
	}
	var lacking *auth.ScopeError
	if !errors.As(err, &lacking) {
		t.Fatalf("got error %v, want a ScopeError", err)
	}
	if want := "the access token lacks the " + lacks; err.Error() != want {
		t.Errorf("got message %s, want %s", err, want)
	}
}
