// Package vigilo serves Vigilo's REST endpoint that rotates a client's secret. A
// caller of Vigilo changes only the host.
//
// It owns Vigilo's paths, scope and errors. It rotates through the domain and must
// not know Connect, the database or another API.
package vigilo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"clientsd/server/api"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
	"clientsd/server/reqctx"
)

const (
	// Path stands for every path of this API in metrics and traces.
	Path = "/clients/{client_id}/regenerate-secret"

	// timeFormat is RFC 3339 with six digits of a second and a numeric offset.
	timeFormat = "2006-01-02T15:04:05.000000-07:00"

	action = "regenerate-secret"
)

// Handler answers POST /client/{client_id}/regenerate-secret, and the same
// under /clients/. Both spellings are in the original's documentation.
type Handler struct {
	// Store is the domain.
	Store *oauthclient.Store
	// Gate authenticates.
	Gate auth.Gate
	// Denied is called when the token of a call lacks the scope.
	Denied func(ctx context.Context, principal *auth.Principal, err error)
	// RecordResult is called after every call, with its error or nil.
	RecordResult func(ctx context.Context, err error)
	// Log gets the errors that an operator must hear of.
	Log *slog.Logger
	// Timeout is the deadline of a call.
	Timeout time.Duration
}

// Owns reports whether a path belongs to this API: all below /client/ and /clients/.
func Owns(r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	return first == "client" || first == "clients"
}

// ServeHTTP rotates the secret of the client that the path names.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if cause := recover(); cause != nil {
			h.refuse(w, r, fmt.Errorf("handler panicked: %v", cause))
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	record, err := h.serve(ctx, r)
	h.RecordResult(ctx, err)
	if err != nil {
		// A database reports only that it was interrupted, not why.
		h.refuse(w, r, errors.Join(err, ctx.Err()))
		return
	}
	reqctx.SetSecretReleased(ctx)
	write(w, http.StatusOK, success{
		ClientID:     record.ID.String(),
		ClientSecret: record.Secret.Reveal(),
		UpdatedAt:    record.UpdatedAt.Format(timeFormat),
	})
}

// success is the body of an answer, field for field as documented.
type success struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	UpdatedAt    string `json:"updated_at"`
}

// serve checks in the order path, method, token, scope, id, look-up: nobody learns by
// a missing scope what exists. The original documents the scope and does not
// enforce it.
func (h *Handler) serve(ctx context.Context, r *http.Request) (oauthclient.Record, error) {
	if _, known := clientID(r.URL); !known {
		return oauthclient.Record{}, errPath
	}
	if r.Method != http.MethodPost {
		return oauthclient.Record{}, errMethod
	}
	principal, err := h.Gate.Authenticate(r)
	if err != nil {
		return oauthclient.Record{}, err
	}
	if !principal.HasScope(auth.ScopeClientManage) {
		err := auth.NewScopeError(principal, []string{auth.ScopeClientManage})
		h.Denied(ctx, principal, err)
		return oauthclient.Record{}, err
	}
	switch _, err := io.Copy(io.Discard, r.Body); { // it means nothing, but its size is bounded
	case errors.Is(err, reqctx.ErrBusy):
		return oauthclient.Record{}, errUnavailable
	case err != nil:
		return oauthclient.Record{}, errBody
	}
	return h.rotate(auth.WithPrincipal(ctx, principal), r)
}

func (h *Handler) rotate(ctx context.Context, r *http.Request) (oauthclient.Record, error) {
	text, _ := clientID(r.URL)
	if text == "" {
		return oauthclient.Record{}, errMissingID
	}
	id, err := api.ParseClientID(text)
	if err != nil {
		return oauthclient.Record{}, err
	}
	key, err := reqctx.IdempotencyKey(r.Header)
	if err != nil {
		return oauthclient.Record{}, err
	}
	return h.Store.Rotate(ctx, reqctx.Caller(ctx), oauthclient.RotateInput{ClientID: id, IncludeSecret: true, Key: key})
}

// clientID returns the client that a path of this API names: empty in any of the
// four spellings of a missing one. It looks at the path as it was sent: a router
// would redirect a path with an empty client id.
func clientID(location *url.URL) (id string, known bool) {
	parts := strings.Split(location.EscapedPath(), "/")
	if len(parts) < 3 || parts[1] != "client" && parts[1] != "clients" || parts[len(parts)-1] != action {
		return "", false
	}
	switch len(parts) {
	case 3:
		return "", true
	case 4:
		id, err := url.PathUnescape(parts[2])
		return id, err == nil
	default:
		return "", false
	}
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // the caller may have gone
}
