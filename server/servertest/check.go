package servertest

import (
	"errors"
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

// WantSameMessage fails the test unless two answers are one and the same.
func WantSameMessage(t testing.TB, first, repeated proto.Message) {
	t.Helper()
	if diff := cmp.Diff(first, repeated, protocmp.Transform()); diff != "" {
		t.Errorf("the repeated call has another answer (-first +repeated):\n%s", diff)
	}
}

// WantError fails the test unless err is a Connect error of this code and with
// this message.
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
// buf.validate.Violations name exactly these fields, in any order.
func WantViolations(t testing.TB, err error, fields ...string) {
	t.Helper()
	var got *connect.Error
	if !errors.As(err, &got) || got.Code() != connect.CodeInvalidArgument {
		t.Fatalf("got error %v, want %v", err, connect.CodeInvalidArgument)
	}
	var named []string
	for _, violation := range violationsOf(t, got) {
		named = append(named, FieldPath(violation))
	}
	slices.Sort(fields)
	slices.Sort(named)
	if diff := cmp.Diff(fields, slices.Compact(named)); diff != "" {
		t.Errorf("fields named by the violations (-want +got):\n%s\n%v", diff, got)
	}
}

// violationsOf reads the one detail of a refusal.
func violationsOf(t testing.TB, refusal *connect.Error) []*validate.Violation {
	t.Helper()
	if len(refusal.Details()) != 1 {
		t.Fatalf("got %d details, want one: %v", len(refusal.Details()), refusal)
	}
	detail, err := refusal.Details()[0].Value()
	if err != nil {
		t.Fatal(err)
	}
	violations, ok := detail.(*validate.Violations)
	if !ok {
		t.Fatalf("got a detail of type %T", detail)
	}
	return violations.GetViolations()
}

// FieldPath is the path of the field at fault: "list[2].name".
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

// InternalError is all a caller reads of a fault of ours.
const InternalError = "internal error: see the server's log under this request id"

// WantReason fails the test unless the one detail of err gives this reason.
func WantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var refusal *connect.Error
	if !errors.As(err, &refusal) || len(refusal.Details()) != 1 {
		t.Fatalf("got no error with one detail: %v", err)
	}
	detail, err := refusal.Details()[0].Value()
	if err != nil {
		t.Fatal(err)
	}
	want := &errdetails.ErrorInfo{Reason: reason, Domain: "clientsd"}
	if diff := cmp.Diff(want, detail, protocmp.Transform()); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}
