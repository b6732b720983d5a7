package server_test

import (
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// A refusal is why a rotation is refused. The scope is the one that is missing.
type refusal struct {
	code           connect.Code
	message, scope string
}

// told is a refusal as its caller reads it. Over RPC it has no status.
type told struct {
	Status    int
	Challenge string
	Body      map[string]any
}

// wantTold fails the test unless an answer is this refusal.
func wantTold(t testing.TB, got reply, want told) {
	t.Helper()
	if diff := cmp.Diff(want, told{got.status, got.header.Get("Www-Authenticate"), object(t, []byte(got.body))}); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}

// statusBody is an error of an RPC as the google.rpc.Status that it is, in JSON.
func statusBody(t testing.TB, err *connect.Error) map[string]any {
	t.Helper()
	message := &status.Status{Code: int32(err.Code()), Message: err.Message()}
	for _, detail := range err.Details() {
		message.Details = append(message.Details, &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type(), Value: detail.Bytes()})
	}
	text, marshalErr := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(message)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return object(t, text)
}

// reasons are those of the google.rpc.ErrorInfo that goes with a code.
var reasons = map[connect.Code]string{
	connect.CodeNotFound:           "CLIENT_NOT_FOUND",
	connect.CodeFailedPrecondition: "PUBLIC_CLIENT",
	connect.CodePermissionDenied:   "INSUFFICIENT_SCOPE",
}

// restStatus is the HTTP status of each code.
var restStatus = map[connect.Code]int{
	connect.CodeInvalidArgument:    http.StatusBadRequest,
	connect.CodeFailedPrecondition: http.StatusBadRequest,
	connect.CodeUnauthenticated:    http.StatusUnauthorized,
	connect.CodePermissionDenied:   http.StatusForbidden,
	connect.CodeNotFound:           http.StatusNotFound,
	connect.CodeInternal:           http.StatusInternalServerError,
	connect.CodeUnavailable:        http.StatusServiceUnavailable,
	connect.CodeDeadlineExceeded:   http.StatusGatewayTimeout,
}

// rpcSays is a refusal over gRPC, gRPC-Web and Connect.
func rpcSays(r refusal) told {
	answer := told{Body: map[string]any{"code": float64(r.code), "message": r.message, "details": []any{}}}
	switch {
	case r.code == connect.CodePermissionDenied:
		answer.Challenge = denied(r.scope).Challenge
	case r.code == connect.CodeUnauthenticated && r.message == noToken:
		answer.Challenge = unauthenticated("", r.message).Challenge
	case r.code == connect.CodeUnauthenticated:
		answer.Challenge = unauthenticated("any", r.message).Challenge
	}
	if reason := reasons[r.code]; reason != "" {
		metadata := map[string]any{}
		if r.scope != "" {
			metadata["scope"] = r.scope
		}
		answer.Body["details"] = []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "clientsd", "metadata": metadata,
		}}
	}
	return answer
}

// restSays is the same with the HTTP status that belongs to the code.
func restSays(r refusal) told {
	answer := rpcSays(r)
	answer.Status = restStatus[r.code]
	return answer
}

// vigiloSays is a refusal in the words of Vigilo's documentation.
func vigiloSays(r refusal) told {
	says := func(status int, challenge, name, description string) told {
		return told{status, challenge, map[string]any{"error": name, "error_description": description}}
	}
	switch r.code {
	case connect.CodeUnauthenticated:
		return says(http.StatusUnauthorized, `Bearer error="invalid_token"`, "invalid_token", r.message)
	case connect.CodePermissionDenied:
		return says(http.StatusForbidden, `Bearer error="insufficient_scope"`, "invalid_scope", "client does not have required scope 'client:manage'")
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
