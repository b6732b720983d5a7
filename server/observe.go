package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	managementv1 "clientsd/gen/go/zitadel/management/v1"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/api/vigilo"
	"clientsd/server/api/zitadel"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
	"clientsd/server/telemetry"
)

const (
	// noAPI names the API of a request that belongs to none.
	noAPI = "none"
	// vigiloPath stands for both spellings of the path of that API.
	vigiloPath = "/clients/{client_id}/regenerate-secret"
)

// measured are the names under which requests are counted, by what nameOf calls
// them or by the pattern of the mux. A request for anything else is counted as
// unknown: a caller who makes up paths makes no new name.
type measured struct {
	routes  map[string]*telemetry.Route
	unknown *telemetry.Route
}

func (r *routes) measure() measured {
	m := measured{
		routes:  map[string]*telemetry.Route{},
		unknown: r.telemetry.Route(telemetry.Route{API: noAPI, Method: "unknown"}),
	}
	for procedure := range r.rules {
		if api := apiOf(procedure); api == ownAPI || r.serves(api) {
			m.routes[procedure] = r.telemetry.Route(telemetry.Route{API: api, Method: procedure[1:], Rotates: rotates(procedure)})
		}
	}
	for api, path := range map[string]string{zitadel.API: zitadel.RESTPrefix, vigilo.API: vigiloPath} {
		if r.serves(api) {
			m.routes[api] = r.telemetry.Route(telemetry.Route{API: api, Method: path, Rotates: true})
		}
	}
	for _, pattern := range []string{
		logoPattern, keysPattern, openAPIPattern, livePattern, readyPattern,
		"/" + grpchealth.HealthV1ServiceName + "/Check", "/" + grpchealth.HealthV1ServiceName + "/Watch",
		"/" + grpcreflect.ReflectV1ServiceName + "/", "/" + grpcreflect.ReflectV1AlphaServiceName + "/",
	} {
		m.routes[pattern] = r.telemetry.Route(telemetry.Route{API: noAPI, Method: strings.TrimPrefix(pattern, "GET ")})
	}
	return m
}

func apiOf(procedure string) string {
	switch service, _, _ := strings.Cut(procedure[1:], "/"); service {
	case apiv1connect.ClientsServiceName:
		return xeonrAPI
	case managementv1connect.ManagementServiceName:
		return zitadel.API
	default:
		return ownAPI
	}
}

func rotates(procedure string) bool {
	return procedure == apiv1connect.ClientsServiceRegenerateSecretProcedure ||
		procedure == managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure
}

// describe tells of a request that was answered.
func (r *routes) describe(req *http.Request) telemetry.Call {
	route, known := r.measured.routes[r.nameOf(req)]
	if !known {
		route, known = r.measured.routes[req.Pattern]
	}
	if !known {
		route = r.measured.unknown
	}
	result := reqctx.ResultOf(req.Context())
	return telemetry.Call{Route: route, ID: reqctx.ID(req.Context()), Code: result.Code, SecretReleased: result.SecretReleased}
}

// noteResult notes what an RPC answers, after the error table has seen it.
func noteResult() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			if err != nil {
				reqctx.SetResult(ctx, reqctx.Result{Code: connect.CodeOf(err).String()})
				return resp, err
			}
			reqctx.SetResult(ctx, reqctx.Result{Code: "ok", SecretReleased: hasSecret(resp.Any())})
			return resp, nil
		}
	}
}

// hasSecret says whether an answer carries a secret.
func hasSecret(answer any) bool {
	switch message := answer.(type) {
	case *apiv1.Client:
		return message.GetClientSecret() != ""
	case *apiv1.GetClientResponse:
		return message.GetClient().GetClientSecret() != ""
	case *apiv1.CreateClientResponse:
		return message.GetClient().GetClientSecret() != ""
	case *managementv1.RegenerateOIDCClientSecretResponse:
		return message.GetClientSecret() != ""
	default:
		return false
	}
}

// answered notes what the API without RPCs answers: for an error of the domain
// the code that the other APIs have for it, for every other one its own status.
func answered(ctx context.Context, err error) {
	var domain *oauthclient.Error
	switch {
	case err == nil:
		reqctx.SetResult(ctx, reqctx.Result{Code: "ok", SecretReleased: true})
	case errors.As(err, &domain):
		reqctx.SetResult(ctx, reqctx.Result{Code: domainCode(domain).String()})
	}
}

// countMatches are the counters of what verifications find.
func (s *Server) countMatches() func(oauthclient.Match) {
	none, current, previous := s.telemetry.Verifications("none"), s.telemetry.Verifications("current"), s.telemetry.Verifications("previous")
	return func(match oauthclient.Match) {
		switch match {
		case oauthclient.MatchCurrent:
			current.Inc()
		case oauthclient.MatchPrevious:
			previous.Inc()
		default:
			none.Inc()
		}
	}
}

// watch shows what there is to see beside the calls.
func (s *Server) watch(ctx context.Context) error {
	database := telemetry.Database{Pools: s.storage.DB.Pools(), OldestSecret: s.store.OldestSecret, Clock: s.config.Clock}
	if s.storage.DatabaseFile != "" {
		database.WALFile = s.storage.DatabaseFile + "-wal"
	}
	s.telemetry.Watch(database)
	if s.config.MetricsAddr == "" {
		return nil
	}
	return s.telemetry.Listen(ctx, s.config.MetricsAddr)
}
