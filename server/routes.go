package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/api/openapi"
	"clientsd/server/api/vigilo"
	"clientsd/server/api/zitadel"
	"clientsd/server/auth"
)

// Patterns of what is open to everybody, beside logos.
const (
	keysPattern    = "GET /.well-known/jwks.json"
	openAPIPattern = "GET /openapi.yaml"
	livePattern    = "GET /livez"
	readyPattern   = "GET /readyz"
)

// errBusy answers a call over the bound of calls at once.
var errBusy = errors.New("too many calls at once, or shutting down: try again in a second")

// apis are the names of the APIs that can be switched off, as --api takes them.
var apis = []string{xeonrAPI, zitadel.API, vigilo.API}

// routes says which handler answers which path. The REST APIs come before the
// mux, which would redirect a path with an empty segment.
type routes struct {
	*Server

	mux     *http.ServeMux
	gate    auth.Gate
	rules   auth.Rules
	options []connect.HandlerOption

	measured measured

	zitadelREST, vigilo http.Handler // nil: switched off
}

// ServeHTTP finds the handler of a path.
func (r *routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case r.vigilo != nil && vigilo.Owns(req):
		r.vigilo.ServeHTTP(w, req)
	case r.zitadelREST != nil && strings.HasPrefix(req.URL.Path, zitadel.RESTPrefix):
		r.zitadelREST.ServeHTTP(w, req)
	default:
		r.mux.ServeHTTP(w, req)
	}
}

func (r *routes) mount() error {
	r.rpc(clientsdv1connect.NewSecretsServiceHandler(&secretsService{store: r.store, failures: r.failures, matched: r.countMatches()}, r.options...))
	if r.serves(xeonrAPI) {
		r.rpc(apiv1connect.NewClientsServiceHandler(newClientsService(r.store, r.url, r.answers), r.options...))
	}
	if r.serves(vigilo.API) {
		r.mountVigilo()
	}
	r.mux.HandleFunc(logoPattern, serveLogo(r.store, r.config.Log))
	r.mux.HandleFunc(keysPattern, r.serveJWKS)
	r.mux.Handle(openAPIPattern, openapi.Handler())
	r.handleHealth(r.mux)
	handleReflection(r.mux, r.services())
	if !r.serves(zitadel.API) {
		return nil
	}
	return r.mountZitadel()
}

func (r *routes) mountVigilo() {
	handler := &vigilo.Handler{
		Store:    r.store,
		Gate:     r.gate,
		Denied:   r.denied,
		Answered: answered,
		Log:      r.config.Log,
		Timeout:  r.config.Timeout,
	}
	r.vigilo = r.places.limit(handler.Busy)(limitBody(handler))
}

func (r *routes) mountZitadel() (err error) {
	service := &zitadel.Service{Store: r.store}
	r.rpc(managementv1connect.NewManagementServiceHandler(service, r.options...))
	rest, err := zitadel.NewREST(service, messageLimit, r.options...)
	if err != nil {
		return err
	}
	busy := func(w http.ResponseWriter, _ *http.Request) { zitadel.WriteError(w, unavailable(errBusy)) }
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) { zitadel.WriteError(w, auth.ConnectError(err)) }
	r.zitadelREST = r.places.limit(busy)(auth.Guard(r.gate, refuse)(limitBody(rest)))
	return nil
}

// rpc mounts the service of a generated handler behind everything that comes
// before a call's body is read.
func (r *routes) rpc(path string, handler http.Handler) {
	writer := connect.NewErrorWriter(r.options...)
	busy := func(w http.ResponseWriter, req *http.Request) {
		_ = writer.Write(w, req, unavailable(errBusy)) // a caller who has gone needs no answer
	}
	authenticated := auth.Middleware(r.gate, r.rules, r.options...)
	r.mux.Handle(path, r.places.limit(busy)(authenticated(limitBody(checkQuery(writer, handler)))))
}

func (s *Server) serves(name string) bool { return slices.Contains(s.config.APIs, name) }

// services are what health and reflection speak of.
func (s *Server) services() []string {
	names := []string{clientsdv1connect.SecretsServiceName}
	if s.serves(xeonrAPI) {
		names = append(names, apiv1connect.ClientsServiceName)
	}
	if s.serves(zitadel.API) {
		names = append(names, managementv1connect.ManagementServiceName)
	}
	return names
}

func unavailable(err error) *connect.Error { return connect.NewError(connect.CodeUnavailable, err) }
