package servertest

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
)

// CallError is what the contract says a caller gets. The zero answer is success.
type CallError struct {
	Code      connect.Code
	Message   string
	Challenge string
}

func Unauthenticated(token, refused string) CallError {
	challenge := `Bearer realm="clientsd"`
	if token != "" {
		challenge += fmt.Sprintf(`, error="invalid_token", error_description=%q`, refused)
	}
	return CallError{connect.CodeUnauthenticated, refused, challenge}
}

func Denied(scope string) CallError {
	return CallError{
		Code:      connect.CodePermissionDenied,
		Message:   fmt.Sprintf("the access token lacks the scope %q", scope),
		Challenge: fmt.Sprintf(`Bearer realm="clientsd", error="insufficient_scope", scope=%q`, scope),
	}
}

// CallErrorOf is what a caller makes of an error.
func CallErrorOf(err error) CallError {
	var refusal *connect.Error
	switch {
	case err == nil:
		return CallError{}
	case errors.As(err, &refusal):
		return CallError{refusal.Code(), refusal.Message(), refusal.Meta().Get("WWW-Authenticate")}
	default:
		return CallError{Message: "no answer: " + err.Error()}
	}
}

const NoToken = "the request carries no access token"

const MalformedToken = "the access token is not a well-formed signed JWT"
