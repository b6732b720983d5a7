package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"clientsd/ent"
	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server"
	"clientsd/server/servertest"
	"clientsd/server/servertest/storagetest"
)

// over speaks the protocol of tests that are not about the protocol.
var over = servertest.Protocols()[0]

// clientsOf is the mirrored service as a caller with every scope sees it.
func clientsOf(t testing.TB, s *servertest.Server) apiv1connect.ClientsServiceClient {
	t.Helper()
	return s.Clients(over, s.Token(t, servertest.All...))
}

// wantError fails the test unless err is a Connect error of this code and with
// this message.
func wantError(t testing.TB, err error, code connect.Code, message string) {
	t.Helper()
	var got *connect.Error
	if !errors.As(err, &got) {
		t.Fatalf("got error %v, want %v: %s", err, code, message)
	}
	if got.Code() != code || got.Message() != message {
		t.Fatalf("got error %v: %s\nwant %v: %s", got.Code(), got.Message(), code, message)
	}
}

// wantViolations fails the test unless err is invalid_argument and its
// buf.validate.Violations name exactly these fields, in any order.
func wantViolations(t testing.TB, err error, fields ...string) {
	t.Helper()
	var got *connect.Error
	if !errors.As(err, &got) || got.Code() != connect.CodeInvalidArgument {
		t.Fatalf("got error %v, want %v", err, connect.CodeInvalidArgument)
	}
	var named []string
	for _, violation := range violationsOf(t, got) {
		named = append(named, fieldOf(violation))
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

// fieldOf is the path of the field at fault: "list[2].name".
func fieldOf(violation *validate.Violation) string {
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

// get fetches a path of the server over HTTP/1.1, with header fields in pairs
// of name and value.
func get(t testing.TB, s *servertest.Server, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	return servertest.Do(t, request)
}

// object reads a JSON object.
func object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return members
}

// requestJSON is servertest.Request as JSON.
func requestJSON(t testing.TB) string {
	t.Helper()
	text, err := protojson.Marshal(servertest.Request())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// member is the JSON object that is a member of another.
func member(t testing.TB, parent map[string]any, name string) map[string]any {
	t.Helper()
	child, ok := parent[name].(map[string]any)
	if !ok {
		t.Fatalf("member %q is no object in %v", name, parent)
	}
	return child
}

// post calls a procedure as curl would, with every scope but admin, and reads
// the answer of a call that must succeed.
func post(t testing.TB, s *servertest.Server, procedure, body string) map[string]any {
	t.Helper()
	return postAs(t, s, s.Token(t, servertest.All...), procedure, body)
}

// postAs is post for the holder of token.
func postAs(t testing.TB, s *servertest.Server, token, procedure, body string) map[string]any {
	t.Helper()
	response, answer := s.PostJSON(t, procedure, token, body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s: %s", procedure, body, response.Status, answer)
	}
	return object(t, answer)
}

// ticking gives the server a clock on which what happens later has a later
// time, however little later.
func ticking(config *server.Config) {
	var ticks atomic.Int64
	config.Clock = func() time.Time { return time.Now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
}

// internalError is all a caller reads of a fault of ours.
const internalError = "internal error: see the server's log under this request id"

// eventLine is what an event says of the secret: "secret_read 2 released".
func eventLine(e *ent.ClientEvent) string {
	line := fmt.Sprintf("%s %d", e.Kind, e.SecretVersion)
	if e.SecretReleased {
		line += " released"
	}
	return line
}

// wantSameRow fails the test if a client is not stored exactly as before.
func wantSameRow(t testing.TB, before, after *ent.OAuthClient) {
	t.Helper()
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ent.OAuthClient{}), cmpopts.IgnoreFields(ent.OAuthClient{}, "Edges")); diff != "" {
		t.Errorf("the row has changed (-before +after):\n%s", diff)
	}
}

// exec changes the database behind the server's back. A ? stands for an argument.
func exec(t testing.TB, s *servertest.Server, statement string, args ...any) {
	t.Helper()
	for i := range args {
		if storagetest.IsPostgres() {
			statement = strings.Replace(statement, "?", "$"+strconv.Itoa(i+1), 1)
		}
	}
	if _, err := s.Database(t).Write.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// isGone is what a JSON log says of a table that is not there.
func isGone(table string) string {
	if storagetest.IsPostgres() {
		return `relation \"` + table + `\" does not exist`
	}
	return "no such table: " + table
}

// wantEvents compares the events of a client: kind, secret version and whether
// the answer carried the secret.
func wantEvents(t *testing.T, s *servertest.Server, clientID string, want ...string) {
	t.Helper()
	var got []string
	for _, e := range s.Events(t, clientID) {
		got = append(got, eventLine(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// wantReason fails the test unless the one detail of err gives this reason.
func wantReason(t *testing.T, err error, reason string) {
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

// wantOnlySecret fails the test unless current is the client's secret of this
// version, and none of the others is one.
func wantOnlySecret(t *testing.T, s *servertest.Server, clientID string, version int64, current string, others ...string) {
	t.Helper()
	want := &clientsdv1.VerifySecretResponse{Valid: true, Matched: clientsdv1.SecretMatch_SECRET_MATCH_CURRENT, SecretVersion: version}
	if diff := cmp.Diff(want, s.Verify(t, clientID, current), protocmp.Transform()); diff != "" {
		t.Errorf("the current secret (-want +got):\n%s", diff)
	}
	noMatch := &clientsdv1.VerifySecretResponse{Matched: clientsdv1.SecretMatch_SECRET_MATCH_NONE}
	for _, other := range others {
		if diff := cmp.Diff(noMatch, s.Verify(t, clientID, other), protocmp.Transform()); diff != "" {
			t.Errorf("another secret (-want +got):\n%s", diff)
		}
	}
}
