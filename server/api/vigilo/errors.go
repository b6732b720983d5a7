package vigilo

import (
	"context"
	"errors"
	"net/http"

	"clientsd/server/api"
	"clientsd/server/auth"
	"clientsd/server/oauthclient"
)

// failure is an error as the original API answers it.
type failure struct {
	status      int
	challenge   string
	retryAfter  string
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Error returns the description.
func (f failure) Error() string { return f.Description }

// What the original API documents, word for word.
var (
	errMissingID = failure{status: http.StatusBadRequest, Code: "invalid_request", Description: "missing 'client_id' in request"}
	errNoClient  = failure{status: http.StatusUnauthorized, Code: "invalid_client", Description: "client does not exist with the given ID"}
	errPublic    = failure{status: http.StatusForbidden, Code: "unauthorized_client", Description: "client is not type 'confidential'"}
	errScope     = failure{
		status: http.StatusForbidden, challenge: `Bearer error="insufficient_scope", scope="client:manage"`,
		Code: "invalid_scope", Description: "client does not have required scope 'client:manage'",
	}
	errInternal = failure{status: http.StatusInternalServerError, Code: "internal_server_error", Description: "failed to regenerate client_secret"}
)

// What it does not document, in the same form.
var (
	errPath        = failure{status: http.StatusNotFound, Code: "invalid_request", Description: "no such path: this API has POST " + Path + " only"}
	errMethod      = failure{status: http.StatusMethodNotAllowed, Code: "invalid_request", Description: "only POST is allowed"}
	errBody        = failure{status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "the request body is too large or breaks off"}
	errUnavailable = failure{status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "try again later"}
)

// conflict answers a repeated call that cannot have its result.
func conflict(err error) failure {
	return failure{status: http.StatusConflict, Code: "invalid_request", Description: err.Error()}
}

// unavailableKeys answers a token of which nothing is known yet.
func unavailableKeys(err *auth.UnavailableError) failure {
	later := errUnavailable
	later.retryAfter = auth.RetryAfter(err.RetryAfter)
	return later
}

// tooMany answers one bad token too many.
func tooMany(err *auth.ThrottledError) failure {
	return failure{
		status: http.StatusTooManyRequests, retryAfter: auth.RetryAfter(err.RetryAfter),
		Code: "temporarily_unavailable", Description: err.Error(),
	}
}

// badToken says what is wrong with the token, without any part of it.
func badToken(err error) failure {
	return failure{
		status: http.StatusUnauthorized, challenge: `Bearer error="invalid_token"`,
		Code: "invalid_token", Description: err.Error(),
	}
}

// failureOf maps an error to the answer of this API. An unknown error gets a fixed sentence.
func failureOf(err error) failure {
	var known failure
	var token *auth.TokenError
	var scope *auth.ScopeError
	var domain *oauthclient.Error
	var throttled *auth.ThrottledError
	var keys *auth.UnavailableError
	switch {
	case errors.As(err, &throttled):
		return tooMany(throttled)
	case errors.As(err, &keys):
		return unavailableKeys(keys)
	case errors.As(err, &known):
		return known
	case errors.Is(err, auth.ErrNoToken):
		return badToken(auth.ErrNoToken)
	case errors.As(err, &token):
		return badToken(token)
	case errors.As(err, &scope):
		return errScope
	case errors.As(err, &domain):
		return domainFailure(domain)
	case errors.Is(err, auth.ErrKeysUnavailable),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errUnavailable
	default:
		return errInternal
	}
}

func domainFailure(err *oauthclient.Error) failure {
	switch err.Code { // a rotation has no other failures
	case oauthclient.NotFound:
		return errNoClient
	case oauthclient.Precondition:
		if err.Reason == oauthclient.ErrSuperseded.Reason {
			return conflict(err)
		}
		return errPublic
	case oauthclient.Aborted:
		return conflict(err)
	case oauthclient.Unavailable:
		return errUnavailable
	case oauthclient.OutcomeUnknown:
		if err.Retryable {
			return failure{status: http.StatusServiceUnavailable, Code: errUnavailable.Code, Description: err.Error(), retryAfter: errUnavailable.retryAfter}
		}
		return failure{status: http.StatusInternalServerError, Code: errInternal.Code, Description: err.Error()}
	case oauthclient.Invalid:
		return failure{status: http.StatusBadRequest, Code: "invalid_request", Description: err.Error()}
	default:
		return errInternal
	}
}

// Busy answers a call over the bound of concurrent calls.
func (h *Handler) Busy(w http.ResponseWriter, _ *http.Request) { answer(w, errUnavailable) }

// refuse answers an error. It logs those that an operator must hear of, which are
// neither a deadline that passed nor a caller who went away.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	resp := failureOf(err)
	if resp.status == http.StatusInternalServerError || isOurs(err) {
		h.Log.ErrorContext(r.Context(), "call failed", "api", api.Vigilo, "status", resp.status, "error", err)
	}
	answer(w, resp)
}

// isOurs reports a failure of the database.
func isOurs(err error) bool {
	var domain *oauthclient.Error
	return errors.As(err, &domain) && (domain.Code == oauthclient.Unavailable || domain.Code == oauthclient.OutcomeUnknown)
}

func answer(w http.ResponseWriter, resp failure) {
	if resp.challenge != "" {
		w.Header().Set("Www-Authenticate", resp.challenge)
	}
	if resp.retryAfter != "" {
		w.Header().Set("Retry-After", resp.retryAfter)
	}
	if resp.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	write(w, resp.status, resp)
}
