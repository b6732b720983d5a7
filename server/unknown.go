package server

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/nearest"
)

// maxAsked bounds the paths that are compared with those that are served, in bytes.
const maxAsked = 200

// alsoCalled are other names of what is served.
var alsoCalled = map[string]string{
	"RotateSecret": apiv1connect.ClientsServiceRegenerateSecretProcedure,
	"healthz":      "/readyz",
}

// isClean reports whether the mux would serve a path, and not redirect to another.
func isClean(escaped string) bool {
	clean := path.Clean(escaped)
	return escaped == "/" || clean != "/" && clean == strings.TrimSuffix(escaped, "/")
}

// serveUnknown answers a request for which there is no handler. It needs no token:
// what is served is public, by reflection and in the OpenAPI document.
func (r *routes) serveUnknown(w http.ResponseWriter, req *http.Request) {
	get := &http.Request{Method: http.MethodGet, URL: req.URL, Host: req.Host}
	if _, pattern := r.mux.Handler(get); isClean(req.URL.EscapedPath()) && strings.HasPrefix(pattern, http.MethodGet) {
		w.Header().Set("Allow", "GET, HEAD")
		r.stack.Refuse(w, req, http.StatusMethodNotAllowed, errors.New("this path is read with GET"))
		return
	}
	if meant := r.near(req.URL.Path); meant != "" {
		r.stack.Refuse(w, req, http.StatusNotFound, fmt.Errorf("nothing is served at this path, did you mean %s? GET / says what is served", meant))
		return
	}
	r.stack.Refuse(w, req, http.StatusNotFound, errors.New("nothing is served at this path; GET / says what is served"))
}

// near returns the path that is served and that a caller most likely means, or empty.
// The last part of a path decides: it names the method, in whatever service.
func (r *routes) near(asked string) string {
	if len(asked) > maxAsked {
		return ""
	}
	served := make(map[string]string) // by the last part
	for _, known := range r.fixed {
		served[path.Base(known)] = known
	}
	for name, known := range alsoCalled {
		if slices.Contains(r.fixed, known) {
			served[name] = known
		}
	}
	names := slices.Sorted(maps.Keys(served))
	if name := nearest.Name(path.Base(asked), names); name != "" {
		return served[name]
	}
	return served[nearest.Name(asked[strings.LastIndexAny(asked, "./:")+1:], names)]
}

// serveRoot says what this is.
func (r *routes) serveRoot(w http.ResponseWriter, _ *http.Request) {
	var procedures strings.Builder
	for _, known := range slices.Sorted(slices.Values(r.fixed)) {
		if _, procedure := r.rules[known]; procedure {
			procedures.WriteString("  POST " + known + "\n")
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, root, r.url, procedures.String()) // the caller may have gone
}

const root = `This is clientsd. It keeps OAuth clients and rotates their secrets.

A call is a POST of JSON with an access token, or a call of gRPC, gRPC-Web or Connect:

  curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
    -d '{}' %s/SERVICE/METHOD

%s
  GET /openapi.yaml           describes every call, its scopes and its errors
  GET /readyz, GET /livez     say whether the server can work
  GET /.well-known/jwks.json  has the public keys of the built-in issuer

The documentation is in the folder docs of the source. Start with docs/api.md.
`
