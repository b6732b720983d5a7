// Package reqctx knows which call this is: its id, where it came from and, from
// the access token, who makes it. Every API takes its oauthclient.Caller here.
package reqctx

import (
	"context"
	"net"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"clientsd/server/auth"
	"clientsd/server/oauthclient"
)

// IDHeader carries the id of a call, in the request if the caller has chosen
// one, and in every answer.
const IDHeader = "X-Request-Id"

// acceptedID is what a caller may choose: nothing that could break out of a log
// line or a header.
var acceptedID = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

type info struct {
	id, address string
	result      Result
}

type contextKey struct{}

// Identify gives every request an id, its own if it has an acceptable one, and
// puts it into the answer.
func Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(IDHeader)
		if !acceptedID.MatchString(id) {
			id = uuid.NewString()
		}
		w.Header().Set(IDHeader, id)
		ctx := context.WithValue(r.Context(), contextKey{}, &info{id: id, address: host(r.RemoteAddr)})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// ID is the id of the call, or empty outside of one.
func ID(ctx context.Context) string { return infoOf(ctx).id }

// Address is where the call came from, or empty outside of one.
func Address(ctx context.Context) string { return infoOf(ctx).address }

// Caller is who makes this call, through the named API. Without an access
// token it is the zero Caller, which sees no client.
func Caller(ctx context.Context, api string) oauthclient.Caller {
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
		API:               api,
	}
}

// infoOf is what Identify knows of the call; outside of one, nothing.
func infoOf(ctx context.Context) *info {
	if i, ok := ctx.Value(contextKey{}).(*info); ok {
		return i
	}
	return &info{}
}

func host(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}
