package reqctx

import (
	"context"
	"net/http"
	"strings"
)

// A Route is what a request asks for, in the server's own words: the path is the
// caller's, and may hold a secret. Metrics, traces, denials and events name a
// request by its route, so there are only as many names as routes are mounted. The
// zero Route is that of a request that reached no mounted handler.
type Route struct {
	// API is the name of the API.
	API string
	// Method is the procedure without its leading slash or, with a leading slash,
	// the pattern of a path.
	Method string
	// Rotates marks the rotation of a secret.
	Rotates bool
}

// Handler notes the route on every request that comes to next.
func (r Route) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		infoOf(req.Context()).route = r
		next.ServeHTTP(w, req)
	})
}

// NoAPI stands for the API of a route that belongs to none.
const NoAPI = "none"

// String returns the name of the route for the log: a procedure with its leading
// slash, the API of a path, or a path of no API.
func (r Route) String() string {
	switch {
	case r == Route{}:
		return "no procedure"
	case strings.HasPrefix(r.Method, "/") && r.API != NoAPI:
		return r.API
	default:
		return "/" + strings.TrimPrefix(r.Method, "/")
	}
}

// RouteOf returns the route of the request.
func RouteOf(ctx context.Context) Route { return infoOf(ctx).route }
