package servertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// NotFound is the refusal of a client that does not exist or that the caller cannot
// see.
var NotFound = Refusal{Code: connect.CodeNotFound, Message: "client not found"}

// A Refusal is why a rotation is refused, whichever API the caller uses. AnyOf are
// the sets of scopes of which the caller has none, with commas between them.
type Refusal struct {
	Code           connect.Code
	Message, AnyOf string
}

// Lacking is the refusal of a caller that has nothing of these sets of scopes.
func Lacking(sets ...string) Refusal { return LackingFor(sets, sets...) }

// LackingFor is Lacking for a caller that lacks only some scopes of the sets.
func LackingFor(missing []string, sets ...string) Refusal {
	return Refusal{connect.CodePermissionDenied, DeniedFor(missing, sets...).Message, strings.Join(sets, ",")}
}

// A WireRefusal is a refusal as its caller reads it. Over RPC it has no status.
type WireRefusal struct {
	Status    int
	Challenge string
	Body      map[string]any
}

// StatusJSON returns the google.rpc.Status of an error in JSON.
func StatusJSON(t testing.TB, err *connect.Error) map[string]any {
	t.Helper()
	message := &status.Status{Code: int32(err.Code()), Message: err.Message()}
	for _, detail := range err.Details() {
		message.Details = append(message.Details, &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type(), Value: detail.Bytes()})
	}
	text, marshalErr := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(message)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return Object(t, text)
}

// reasons has the reason of the google.rpc.ErrorInfo that goes with a code.
var reasons = map[connect.Code]string{
	connect.CodeNotFound:           "CLIENT_NOT_FOUND",
	connect.CodeFailedPrecondition: "PUBLIC_CLIENT",
	connect.CodePermissionDenied:   "INSUFFICIENT_SCOPE",
}

// RESTStatus has the HTTP status of each code in ZITADEL's REST API.
var RESTStatus = map[connect.Code]int{
	connect.CodeInvalidArgument:    http.StatusBadRequest,
	connect.CodeFailedPrecondition: http.StatusBadRequest,
	connect.CodeUnauthenticated:    http.StatusUnauthorized,
	connect.CodePermissionDenied:   http.StatusForbidden,
	connect.CodeNotFound:           http.StatusNotFound,
	connect.CodeInternal:           http.StatusInternalServerError,
	connect.CodeUnavailable:        http.StatusServiceUnavailable,
	connect.CodeDeadlineExceeded:   http.StatusGatewayTimeout,
}

// RenderRPC returns a refusal in the words of ZITADEL's API over gRPC, gRPC-Web and
// Connect.
func RenderRPC(r Refusal) WireRefusal {
	answer := WireRefusal{Body: map[string]any{"code": float64(r.Code), "message": r.Message, "details": []any{}}}
	smallest, _, alternatives := strings.Cut(r.AnyOf, ",")
	switch {
	case r.Code == connect.CodePermissionDenied:
		answer.Challenge = Denied(smallest).Challenge
		if alternatives {
			answer.Challenge += fmt.Sprintf(", error_description=%q", strings.ReplaceAll(r.Message, `"`, "'"))
		}
	case r.Code == connect.CodeUnauthenticated && r.Message == NoToken:
		answer.Challenge = Unauthenticated("", r.Message).Challenge
	case r.Code == connect.CodeUnauthenticated:
		answer.Challenge = Unauthenticated("any", r.Message).Challenge
	}
	if reason := reasons[r.Code]; reason != "" {
		metadata := map[string]any{}
		if r.AnyOf != "" {
			metadata["scope"] = r.AnyOf
		}
		answer.Body["details"] = []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "clientsd", "metadata": metadata,
		}}
	}
	return answer
}

// RenderREST returns a refusal in the words of ZITADEL's REST API.
func RenderREST(r Refusal) WireRefusal {
	answer := RenderRPC(r)
	answer.Status = RESTStatus[r.Code]
	return answer
}

// RenderVigilo returns a refusal in the words of Vigilo's documentation.
func RenderVigilo(r Refusal) WireRefusal {
	says := func(status int, challenge, name, description string) WireRefusal {
		return WireRefusal{status, challenge, map[string]any{"error": name, "error_description": description}}
	}
	switch r.Code {
	case connect.CodeUnauthenticated:
		return says(http.StatusUnauthorized, `Bearer error="invalid_token"`, "invalid_token", r.Message)
	case connect.CodePermissionDenied:
		return says(http.StatusForbidden, `Bearer error="insufficient_scope", scope="client:manage"`, "invalid_scope", "client does not have required scope 'client:manage'")
	case connect.CodeNotFound:
		return says(http.StatusUnauthorized, "", "invalid_client", "client does not exist with the given ID")
	case connect.CodeFailedPrecondition:
		return says(http.StatusForbidden, "", "unauthorized_client", "client is not type 'confidential'")
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded:
		return says(http.StatusServiceUnavailable, "", "temporarily_unavailable", "try again later")
	default:
		return says(http.StatusInternalServerError, "", "internal_server_error", "failed to regenerate client_secret")
	}
}
