package auth_test

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/testing/protocmp"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/auth"
)

const (
	getPublicClients = clientsService + "GetPublicClients"
	noTokenMessage   = "the request carries no access token"
	bareChallenge    = `Bearer realm="clientsd"`
)

// protocols are the client options for each protocol.
var protocols = map[string][]connect.ClientOption{
	"Connect":      nil,
	"Connect JSON": {connect.WithProtoJSON()},
	"gRPC":         {connect.WithGRPC()},
	"gRPC-Web":     {connect.WithGRPCWeb()},
}

// services answers with what it knows of the caller.
type services struct {
	apiv1connect.UnimplementedClientsServiceHandler
	clientsdv1connect.UnimplementedSecretsServiceHandler
}

func (services) VerifySecret(ctx context.Context, _ *clientsdv1.VerifySecretRequest) (*clientsdv1.VerifySecretResponse, error) {
	principal, ok := auth.PrincipalFrom(ctx)
	return &clientsdv1.VerifySecretResponse{Valid: ok && principal.Subject == "urn:xeonr:user:1"}, nil
}

func (services) GetPublicClients(ctx context.Context, _ *apiv1.GetPublicClientsRequest) (*apiv1.GetPublicClientsResponse, error) {
	if principal, ok := auth.PrincipalFrom(ctx); ok {
		return nil, connect.NewError(connect.CodeInternal, errors.New("the caller is known as "+principal.Subject))
	}
	return &apiv1.GetPublicClientsResponse{}, nil
}

// newHandler mounts both services behind middleware and interceptor.
func newHandler(tb testing.TB, cfg auth.Config) http.Handler {
	tb.Helper()
	rules := auth.NewRules("")
	interceptors := connect.WithInterceptors(rules.Interceptor())
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewClientsServiceHandler(services{}, interceptors))
	mux.Handle(clientsdv1connect.NewSecretsServiceHandler(services{}, interceptors))
	return auth.Middleware(auth.Gate{Verifier: newVerifier(tb, cfg)}, rules)(mux)
}

// newServer serves the handler over HTTP/2.
func newServer(t *testing.T, cfg auth.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(newHandler(t, cfg))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// bearing makes a client send this Authorization header, unless empty.
func bearing(header string, options []connect.ClientOption) connect.ClientOption {
	send := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if header != "" {
				req.Header().Set("Authorization", header)
			}
			return next(ctx, req)
		}
	})
	return connect.WithClientOptions(append(slices.Clone(options), connect.WithInterceptors(send))...)
}

func TestMiddlewareAnswersInTheProtocolOfTheCaller(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header    string
		code      connect.Code
		message   string
		challenge string
	}{
		"no token":          {"", connect.CodeUnauthenticated, noTokenMessage, bareChallenge},
		"another scheme":    {"Basic YTpi", connect.CodeUnauthenticated, noTokenMessage, bareChallenge},
		"a malformed token": {"Bearer abc", connect.CodeUnauthenticated, malformed, bareChallenge + `, error="invalid_token", error_description="` + malformed + `"`},
		"an expired token": {
			"Bearer " + goodToken(t, map[string]any{"exp": now.Unix() - 31}), connect.CodeUnauthenticated, expired,
			bareChallenge + `, error="invalid_token", error_description="` + expired + `"`,
		},
		"a token without the scope": {
			"Bearer " + goodToken(t, map[string]any{"scope": auth.ScopeManage}), connect.CodePermissionDenied,
			`the access token lacks the scope "oauth:clients:verify"`,
			bareChallenge + `, error="insufficient_scope", scope="oauth:clients:verify"`,
		},
	}
	server := newServer(t, newConfig(t))
	for name, tt := range tests {
		for protocol, options := range protocols {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				t.Parallel()
				client := clientsdv1connect.NewSecretsServiceClient(server.Client(), server.URL, bearing(tt.header, options))
				_, err := client.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{})
				wantConnectError(t, err, tt.code, tt.message, tt.challenge)
			})
		}
	}
}

func TestMiddleware_GoodToken(t *testing.T) {
	t.Parallel()
	server := newServer(t, newConfig(t))
	header := "Bearer " + goodToken(t, map[string]any{"scope": auth.ScopeVerify})
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			client := clientsdv1connect.NewSecretsServiceClient(server.Client(), server.URL, bearing(header, options))
			answer, err := client.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{})
			if err != nil || !answer.GetValid() {
				t.Errorf("got %v and error %v, want the handler to know the caller", answer, err)
			}
		})
	}
}

func TestMiddleware_PublicProcedureIgnoresToken(t *testing.T) {
	t.Parallel()
	server := newServer(t, newConfig(t))
	for name, header := range map[string]string{
		"no token":     "",
		"a good token": "Bearer " + goodToken(t, nil),
		"a bad token":  "Bearer abc",
	} {
		for protocol, options := range protocols {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				t.Parallel()
				client := apiv1connect.NewClientsServiceClient(server.Client(), server.URL, bearing(header, options))
				if _, err := client.GetPublicClients(t.Context(), &apiv1.GetPublicClientsRequest{}); err != nil {
					t.Errorf("GetPublicClients: %v", err)
				}
			})
		}
	}
}

func TestMiddleware_MissingScopeDetail(t *testing.T) {
	t.Parallel()
	server := newServer(t, newConfig(t))
	header := "Bearer " + goodToken(t, map[string]any{"scope": auth.ScopeRead})
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			client := apiv1connect.NewClientsServiceClient(server.Client(), server.URL, bearing(header, options))
			_, err := client.GetClient(t.Context(), &apiv1.GetClientRequest{IncludeSecret: true})
			wantScopeDetail(t, err, "oauth:clients:read oauth:clients:manage")
			_, err = client.RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{})
			wantScopeDetail(t, err, "oauth:clients:rotate,oauth:clients:manage")
		})
	}
}

// wantScopeDetail fails the test unless the one detail of the error has these sets of
// scopes.
func wantScopeDetail(t *testing.T, err error, sets string) {
	t.Helper()
	var answer *connect.Error
	if !errors.As(err, &answer) || len(answer.Details()) != 1 {
		t.Fatalf("got error %v, want one detail", err)
	}
	got, err := answer.Details()[0].Value()
	if err != nil {
		t.Fatalf("detail: %v", err)
	}
	want := &errdetails.ErrorInfo{Reason: "INSUFFICIENT_SCOPE", Domain: "clientsd", Metadata: map[string]string{"scope": sets}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

func TestUnavailableKeysAreUnavailable(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	cfg.Issuers[0].Key = func(context.Context, auth.KeyRef) (crypto.PublicKey, error) {
		return nil, errors.New("dial tcp 10.0.0.7: connection refused")
	}
	server := newServer(t, cfg)
	client := clientsdv1connect.NewSecretsServiceClient(server.Client(), server.URL, bearing("Bearer "+goodToken(t, nil), nil))
	_, err := client.VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{})
	wantConnectError(t, err, connect.CodeUnavailable, "the keys of the token issuer are not available", "")
}

// wantConnectError fails the test unless the error is just this.
func wantConnectError(t *testing.T, err error, code connect.Code, message, challenge string) {
	t.Helper()
	var answer *connect.Error
	if !errors.As(err, &answer) {
		t.Fatalf("got error %v, want a Connect error", err)
	}
	if answer.Code() != code || answer.Message() != message {
		t.Errorf("got %v %q, want %v %q", answer.Code(), answer.Message(), code, message)
	}
	if got := strings.Join(answer.Meta().Values("WWW-Authenticate"), " | "); got != challenge {
		t.Errorf("got challenge %q, want %q", got, challenge)
	}
}
