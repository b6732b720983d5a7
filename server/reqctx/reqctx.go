// Package reqctx holds what is known about a request: its id, where it came from,
// its route, the caller that the access token names, and its result.
//
// Every API takes its [oauthclient.Caller] from here. The package must not know
// which routes there are or how a call is authenticated.
package reqctx

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"clientsd/server/auth"
	"clientsd/server/oauthclient"
)

// IDHeader carries the id of a request: in the request if the caller chose one,
// and in every answer.
const IDHeader = "X-Request-Id"

// ErrBusy refuses a call over the bound of concurrent calls. Reading the body of a
// request may return it.
var ErrBusy = errors.New("too many concurrent calls, or shutting down: try again in a second")

// acceptedID is what a caller may choose: nothing that could break out of a log
// line or a header.
var acceptedID = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

type info struct {
	id, address string
	route       Route
	result      Result
	onAnswer    []func()
}

type contextKey struct{}

// Identify gives every request an id and puts it into the answer. It keeps an
// acceptable id that the caller chose. It notes where the request came from, as
// the proxies say.
func Identify(proxies Proxies, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(IDHeader)
		if !acceptedID.MatchString(id) {
			id = uuid.NewString()
		}
		w.Header().Set(IDHeader, id)
		ctx := context.WithValue(r.Context(), contextKey{}, &info{id: id, address: proxies.address(r)})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// ID returns the id of the request, or an empty string outside a request.
func ID(ctx context.Context) string { return infoOf(ctx).id }

// Address returns where the request came from, or an empty string outside a request.
func Address(ctx context.Context) string { return infoOf(ctx).address }

// Caller returns who makes this call, through the API of its route. Without an
// access token it is the zero Caller, which sees no client.
func Caller(ctx context.Context) oauthclient.Caller {
	principal, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return oauthclient.Caller{}
	}
	i := infoOf(ctx)
	return oauthclient.Caller{
		Organisation:      principal.Organisation,
		TokenOrganisation: principal.Organisation,
		Issuer:            principal.Issuer,
		Subject:           principal.Subject,
		ClientID:          principal.ClientID,
		Admin:             principal.HasScope(auth.ScopeAdmin),
		RequestID:         i.id,
		Address:           i.address,
		API:               i.route.API,
	}
}

// infoOf returns what Identify knows of the request; outside a request, nothing.
func infoOf(ctx context.Context) *info {
	if i, ok := ctx.Value(contextKey{}).(*info); ok {
		return i
	}
	return &info{}
}
