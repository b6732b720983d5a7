package server

import (
	"net/http"
	"slices"
	"strings"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/api"
	"clientsd/server/api/clientsd"
	"clientsd/server/api/openapi"
	"clientsd/server/api/vigilo"
	"clientsd/server/api/xeonr"
	"clientsd/server/api/zitadel"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
	"clientsd/server/telemetry"
	"clientsd/server/transport"
)

// preflight is the route of the question that browsers ask before a call.
var preflight = reqctx.Route{API: reqctx.NoAPI, Method: "preflight"}

// routes finds the handler of a path. Each handler is mounted with its route,
// which names the request for metrics, traces, the log and events.
type routes struct {
	*Server

	mux   *http.ServeMux
	rules auth.Rules
	fixed []string // the paths that are served and have no variable part

	zitadelREST, vigilo http.Handler // nil: switched off
}

// handler returns the handler of everything on the port.
func (s *Server) handler() (http.Handler, error) {
	verifier, err := s.verifier()
	if err != nil {
		return nil, err
	}
	tracing, err := s.telemetry.Interceptors()
	if err != nil {
		return nil, err
	}
	proxies, err := s.config.proxies()
	if err != nil {
		return nil, err
	}
	rules := auth.NewRules(s.config.SecretReadScope)
	s.stack = transport.NewStack(transport.Config{
		Verifier:      verifier,
		Rules:         rules,
		Failures:      s.failures,
		Timeout:       s.config.Timeout,
		MaxInFlight:   s.config.MaxInFlight,
		MessageLimits: map[string]int64{apiv1connect.ClientsServiceUploadClientLogoProcedure: xeonr.UploadLimit},
		Cacheable:     []string{apiv1connect.ClientsServiceGetPublicClientsProcedure},
		CORSOrigins:   s.config.CORSOrigins,
		CORSHeaders:   []string{zitadel.OrganisationHeader},
		Preflight:     preflight,
		Proxies:       proxies,
		Observe:       s.telemetry.Middleware(describe),
		Interceptors:  tracing,
		Log:           s.config.Log,
	})
	routes := &routes{Server: s, mux: http.NewServeMux(), rules: rules}
	if err := routes.mount(); err != nil {
		return nil, err
	}
	return s.stack.Handler(routes), nil
}

// ServeHTTP passes a request on to its handler. The mux would redirect a path with an
// empty segment, which callers of RPCs do not follow.
func (r *routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case r.vigilo != nil && vigilo.Owns(req):
		r.vigilo.ServeHTTP(w, req)
	case r.zitadelREST != nil && strings.HasPrefix(req.URL.Path, zitadel.RESTPrefix):
		r.zitadelREST.ServeHTTP(w, req)
	case !isClean(req.URL.EscapedPath()):
		r.serveUnknown(w, req)
	default:
		r.mux.ServeHTTP(w, req)
	}
}

func (r *routes) mount() error {
	options := r.stack.HandlerOptions()
	own := &clientsd.Service{Store: r.store, Failures: r.failures, Verified: r.countMatches()}
	path, handler := clientsdv1connect.NewSecretsServiceHandler(own, options...)
	r.mountService(api.Clientsd, path, handler)
	if r.serves(api.Xeonr) {
		path, handler = apiv1connect.NewClientsServiceHandler(xeonr.NewService(r.store, r.url), options...)
		r.mountService(api.Xeonr, path, handler)
	}
	if r.serves(api.Vigilo) {
		r.mountVigilo()
	}
	r.mountOpen("GET ", xeonr.LogoPattern, r.stack.Public(xeonr.NewLogoHandler(r.store, r.config.Log)))
	r.mountOpen("GET ", "/.well-known/jwks.json", r.stack.Public(http.HandlerFunc(r.serveJWKS)))
	r.mountOpen("GET ", "/openapi.yaml", r.stack.Public(openapi.Handler()))
	r.mux.Handle("GET /{$}", r.named(reqctx.Route{API: reqctx.NoAPI, Method: "/"}, r.stack.Public(http.HandlerFunc(r.serveRoot))))
	r.mux.HandleFunc("/", r.serveUnknown)
	r.mountHealth()
	r.mountReflection()
	r.telemetry.Register(unknown())
	r.telemetry.Register(telemetry.Route(preflight))
	if !r.serves(api.Zitadel) {
		return nil
	}
	return r.mountZitadel()
}

func (r *routes) mountVigilo() {
	handler := &vigilo.Handler{
		Store:        r.store,
		Gate:         r.stack.Gate(),
		Denied:       r.stack.Denied,
		RecordResult: transport.RecordResult,
		Log:          r.config.Log,
		Timeout:      r.config.Timeout,
	}
	r.vigilo = r.named(reqctx.Route{API: api.Vigilo, Method: vigilo.Path, Rotates: true}, r.stack.REST(handler, handler.Busy))
}

func (r *routes) mountZitadel() error {
	service := &zitadel.Service{Store: r.store}
	options := append(r.stack.HandlerOptions(), transport.IgnoreUnknownFields()) // as ZITADEL does
	path, handler := managementv1connect.NewManagementServiceHandler(service, options...)
	r.mountService(api.Zitadel, path, handler)
	rest, err := zitadel.NewREST(service, transport.MessageLimit, r.stack.CheckScope, options...)
	if err != nil {
		return err
	}
	busy := func(w http.ResponseWriter, _ *http.Request) { zitadel.WriteError(w, transport.Busy()) }
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) { zitadel.WriteError(w, auth.ConnectError(err)) }
	guarded := auth.Guard(r.stack.Gate(), refuse)(r.stack.REST(rest, busy))
	r.zitadelREST = r.named(reqctx.Route{API: api.Zitadel, Method: zitadel.RESTPrefix, Rotates: true}, guarded)
	return nil
}

// mountService mounts each procedure of a generated handler with its route.
func (r *routes) mountService(name, path string, handler http.Handler) {
	handler = r.stack.Service(handler)
	for procedure := range r.rules {
		if strings.HasPrefix(procedure, path) {
			route := reqctx.Route{API: name, Method: procedure[1:], Rotates: rotates(procedure)}
			r.mux.Handle(procedure, r.named(route, handler))
			r.fixed = append(r.fixed, procedure)
		}
	}
}

// mountOpen mounts a handler that belongs to no API.
func (r *routes) mountOpen(method, path string, handler http.Handler) {
	r.mux.Handle(method+path, r.named(reqctx.Route{API: reqctx.NoAPI, Method: path}, handler))
	if !strings.Contains(path, "{") {
		r.fixed = append(r.fixed, path)
	}
}

// named counts the requests that come to handler under its route.
func (r *routes) named(route reqctx.Route, handler http.Handler) http.Handler {
	r.telemetry.Register(telemetry.Route(route))
	return route.Handler(handler)
}

func rotates(procedure string) bool {
	return procedure == apiv1connect.ClientsServiceRegenerateSecretProcedure ||
		procedure == managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure
}

// unknown returns the route of a request that came to no mounted handler: a caller who
// invents paths creates no new name.
func unknown() telemetry.Route { return telemetry.Route{API: reqctx.NoAPI, Method: "unknown"} }

// describe reports a request that was answered.
func describe(r *http.Request) telemetry.Call {
	ctx := r.Context()
	route := telemetry.Route(reqctx.RouteOf(ctx))
	if route == (telemetry.Route{}) {
		route = unknown()
	}
	result := reqctx.ResultOf(ctx)
	return telemetry.Call{Route: route, ID: reqctx.ID(ctx), Address: reqctx.Address(ctx), Code: result.Code, SecretReleased: result.SecretReleased}
}

func (s *Server) serves(name string) bool { return slices.Contains(s.config.APIs, name) }

// services returns the names that health and reflection know.
func (s *Server) services() []string {
	names := []string{clientsdv1connect.SecretsServiceName}
	if s.serves(api.Xeonr) {
		names = append(names, apiv1connect.ClientsServiceName)
	}
	if s.serves(api.Zitadel) {
		names = append(names, managementv1connect.ManagementServiceName)
	}
	return names
}

// countMatches returns a function that counts the results of verifications.
func (s *Server) countMatches() func(oauthclient.Match) {
	matches := map[oauthclient.Match]interface{ Inc() }{
		oauthclient.NoMatch:       s.telemetry.Verifications("none"),
		oauthclient.MatchCurrent:  s.telemetry.Verifications("current"),
		oauthclient.MatchPrevious: s.telemetry.Verifications("previous"),
		oauthclient.MatchEnded:    s.telemetry.Verifications("ended"),
	}
	return func(match oauthclient.Match) { matches[match].Inc() }
}

func (s *Server) serveJWKS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.issuer.JWKS(r.Context())) // the caller may have gone
}
