package servertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// WantSameMessage fails the test unless two answers are equal.
func WantSameMessage(t testing.TB, first, repeated proto.Message) {
	t.Helper()
	if diff := cmp.Diff(first, repeated, protocmp.Transform()); diff != "" {
		t.Errorf("the repeated call has another answer (-first +repeated):\n%s", diff)
	}
}

// WantError fails the test unless err is a Connect error with this code and
// message.
func WantError(t testing.TB, err error, code connect.Code, message string) {
	t.Helper()
	var got *connect.Error
	if !errors.As(err, &got) {
		t.Fatalf("got error %v, want %v: %s", err, code, message)
	}
	if got.Code() != code || got.Message() != message {
		t.Fatalf("got error %v: %s\nwant %v: %s", got.Code(), got.Message(), code, message)
	}
}

// WantViolations fails the test unless err is invalid_argument and its
// buf.validate.Violations name exactly these fields, each of them once, in any
// order. It takes the names of the proto files, of which JSON has its own spelling. It
// may also have a reason.
func WantViolations(t testing.TB, err error, fields ...string) {
	t.Helper()
	var got *connect.Error
	if !errors.As(err, &got) || got.Code() != connect.CodeInvalidArgument {
		t.Fatalf("got error %v, want %v", err, connect.CodeInvalidArgument)
	}
	want, named := []string{}, []string{}
	for _, field := range fields {
		want = append(want, JSONName(field))
	}
	for _, violation := range violationsOf(t, got) {
		named = append(named, JSONName(FieldPath(violation)))
	}
	slices.Sort(want)
	slices.Sort(named)
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("fields named by the violations (-want +got):\n%s\n%v", diff, got)
	}
}

// JSONName spells the path of a field as JSON does.
func JSONName(path string) string {
	words := strings.Split(path, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// violationsOf returns the violations of a refusal, which are its first detail.
func violationsOf(t testing.TB, refusal *connect.Error) []*validate.Violation {
	t.Helper()
	violations, ok := detailOf(t, refusal, 0).(*validate.Violations)
	if !ok {
		t.Fatalf("the first detail is no list of violations: %v", refusal)
	}
	return violations.GetViolations()
}

// detailOf returns a detail of a refusal. It fails the test unless there are one or
// two: violations, then a reason.
func detailOf(t testing.TB, refusal *connect.Error, i int) proto.Message {
	t.Helper()
	if n := len(refusal.Details()); n <= i || n > 2 {
		t.Fatalf("got %d details: %v", n, refusal)
	}
	detail, err := refusal.Details()[i].Value()
	if err != nil {
		t.Fatal(err)
	}
	return detail
}

// FieldPath returns the path of the field at fault, such as "list[2].name".
func FieldPath(violation *validate.Violation) string {
	var parts []string
	for _, element := range violation.GetField().GetElements() {
		part := element.GetFieldName()
		if element.HasIndex() {
			part += "[" + strconv.FormatUint(element.GetIndex(), 10) + "]"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ".")
}

// InternalError is all that a caller reads of a fault of the server.
const InternalError = "internal error: see the server's log under this request id"

// WantReason fails the test unless the last detail of err is an ErrorInfo with this
// reason.
func WantReason(t testing.TB, err error, reason string) {
	t.Helper()
	WantErrorInfo(t, err, &errdetails.ErrorInfo{Reason: reason, Domain: "clientsd"})
}

// WantErrorInfo fails the test unless this is the last detail of err.
func WantErrorInfo(t testing.TB, err error, want *errdetails.ErrorInfo) {
	t.Helper()
	var refusal *connect.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got no error of a call: %v", err)
	}
	if diff := cmp.Diff(want, detailOf(t, refusal, len(refusal.Details())-1), protocmp.Transform()); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

// CallError is an error as a caller of an RPC reads it. The zero value is success.
type CallError struct {
	Code      connect.Code
	Message   string
	Challenge string
}

// Unauthenticated returns the error of a call whose token is refused for a reason.
// An empty token stands for a call without one.
func Unauthenticated(token, reason string) CallError {
	challenge := `Bearer realm="clientsd"`
	if token != "" {
		challenge += fmt.Sprintf(`, error="invalid_token", error_description=%q`, reason)
	}
	return CallError{connect.CodeUnauthenticated, reason, challenge}
}

// Denied returns the error of a call whose token has nothing of these sets of
// scopes, the smallest first. Spaces separate the scopes of a set.
func Denied(sets ...string) CallError { return DeniedFor(sets, sets...) }

// DeniedFor is Denied for a token that lacks only some scopes of the sets.
func DeniedFor(missing []string, sets ...string) CallError {
	noun, choices := "scope", make([]string, len(missing))
	for i, set := range missing {
		if choices[i] = `"` + strings.ReplaceAll(set, " ", `" and "`) + `"`; strings.Contains(set, " ") {
			noun = "scopes"
		}
	}
	message := "the access token lacks the " + noun + " " + strings.Join(choices, " or ")
	message = strings.Replace(message, " or ", ", ", max(0, len(choices)-2))
	challenge := fmt.Sprintf(`Bearer realm="clientsd", error="insufficient_scope", scope=%q`, sets[0])
	if len(sets) > 1 {
		challenge += fmt.Sprintf(", error_description=%q", strings.ReplaceAll(message, `"`, "'"))
	}
	return CallError{connect.CodePermissionDenied, message, challenge}
}

// CallErrorOf reads the error of a call.
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

// Why a token is refused, where tests of several themes say it.
const (
	NoToken        = "the request carries no access token"
	MalformedToken = "the access token is not a well-formed signed JWT"
)
