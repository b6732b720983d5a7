package postgres_test

import (
	"errors"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"clientsd/server/reqctx"
	"clientsd/server/servertest"
	"clientsd/server/servertest/pgproxy"
)

// everyAPI is one way to rotate for each protocol of the main API and for each
// of the other APIs.
func everyAPI() []servertest.Way {
	list := []servertest.Way{
		{Name: "Vigilo", API: "vigilo", Scopes: nil, Rotate: servertest.OverVigilo("/client/"), Render: nil},
		{Name: "ZITADEL, REST", API: "zitadel", Scopes: nil, Rotate: servertest.OverREST, Render: nil},
		{Name: "ZITADEL, gRPC", API: "zitadel", Scopes: nil, Rotate: servertest.OverRPC(servertest.GRPC), Render: nil},
	}
	for _, protocol := range servertest.Protocols() {
		list = append(list, servertest.Way{Name: protocol.Name, API: "xeonr", Scopes: nil, Rotate: overClients(protocol), Render: nil})
	}
	return list
}

// overClients is the main API, with its refusals.
func overClients(protocol servertest.Protocol) func(testing.TB, *servertest.Server, servertest.Attempt) (string, servertest.WireRefusal) {
	return func(t testing.TB, s *servertest.Server, c servertest.Attempt) (string, servertest.WireRefusal) {
		t.Helper()
		ctx, info := connect.NewClientContext(t.Context())
		for i := 0; i < len(c.Header); i += 2 {
			info.RequestHeader().Set(c.Header[i], c.Header[i+1])
		}
		answer, err := s.Clients(protocol, c.Token).RegenerateSecret(ctx, servertest.RotateRequest(c.ClientID))
		var refused *connect.Error
		if errors.As(err, &refused) {
			return "", servertest.WireRefusal{Body: servertest.StatusJSON(t, refused)}
		}
		return answer.GetClientSecret(), servertest.WireRefusal{}
	}
}

// saysReason is a refusal with a reason, in the words of the way's API.
func saysReason(w servertest.Way, code connect.Code, reason, message string) servertest.WireRefusal {
	if w.API == "vigilo" {
		name := map[connect.Code]string{
			connect.CodeAborted: "invalid_request", connect.CodeUnavailable: "temporarily_unavailable", connect.CodeUnknown: "internal_server_error",
		}[code]
		return servertest.WireRefusal{Status: statusWith[code], Body: map[string]any{"error": name, "error_description": message}}
	}
	answer := servertest.WireRefusal{Body: map[string]any{"code": float64(code), "message": message, "details": []any{map[string]any{
		"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "clientsd", "metadata": map[string]any{},
	}}}}
	if w.Name == "ZITADEL, REST" {
		answer.Status = statusWith[code]
	}
	return answer
}

// statusWith is the HTTP status of the codes that depend on the outcome.
var statusWith = map[connect.Code]int{
	connect.CodeAborted: http.StatusConflict, connect.CodeUnavailable: http.StatusServiceUnavailable, connect.CodeUnknown: http.StatusInternalServerError,
}

// A lostCall is a rotation during whose commit the line goes down.
type lostCall struct {
	*rotating
	servertest.Way

	header []string // with the idempotency key, if there is one
	secret string
	told   servertest.WireRefusal
}

func (l *lostCall) make(t *testing.T) {
	l.secret, l.told = l.Rotate(t, l.Server, servertest.Attempt{Token: l.token, ClientID: l.id, Header: l.header})
}

// lostCalls are one for each API and protocol, with a key or without one.
func (c *cutOff) lostCalls(t *testing.T, withKey bool) []*lostCall {
	t.Helper()
	var calls []*lostCall
	for _, w := range everyAPI() {
		l := &lostCall{rotating: c.newRotating(t), Way: w}
		if withKey {
			l.header = []string{reqctx.IdempotencyHeader, "key over " + w.Name}
		}
		calls = append(calls, l)
	}
	return calls
}

// The line goes down for longer than the server asks for the outcome.
func TestUnknownOutcome_InWordsOfTheAPI(t *testing.T) {
	for name, tt := range map[string]struct {
		moment  pgproxy.Moment
		version int64 // that is stored
	}{
		"before the commit arrives":     {pgproxy.BeforeCommit(), 1},
		"before the commit is answered": {pgproxy.AfterCommit(), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCutOff(t)
			c.loseTogether(t, tt.moment, tt.version, c.lostCalls(t, true))
			for _, l := range c.lostCalls(t, false) { // one by one: they would share a commit
				c.loseTogether(t, tt.moment, tt.version, []*lostCall{l})
			}
		})
	}
}

// loseTogether takes the line down when all of the calls have come to a moment,
// and up again when they were answered.
func (c *cutOff) loseTogether(t *testing.T, moment pgproxy.Moment, version int64, calls []*lostCall) {
	t.Helper()
	cut := c.line.CutTogether(moment, len(calls))
	servertest.Concurrently(len(calls), func(i int) { calls[i].make(t) })
	if !cut.Happened() {
		t.Fatal("the line did not go down")
	}
	for _, l := range calls {
		l.wantUnknown(t)
		l.version = version
		l.wantStored(t)
	}
	c.line.Up()
	for _, l := range calls {
		l.wantTruth(t)
	}
}

// wantUnknown fails the test unless the caller was told how to find out.
func (l *lostCall) wantUnknown(t *testing.T) {
	t.Helper()
	want := saysReason(l.Way, connect.CodeUnknown, "OUTCOME_UNKNOWN", lookFirst)
	if l.header != nil {
		want = saysReason(l.Way, connect.CodeUnavailable, "OUTCOME_UNKNOWN", repeatCall)
	}
	if diff := cmp.Diff(want, l.told); diff != "" || l.secret != "" {
		t.Errorf("%s: got a secret: %v; refusal (-want +got):\n%s", l.Name, l.secret != "", diff)
	}
}

// wantTruth makes the call again, and fails the test unless that is the same
// rotation under a key, and another one without.
func (l *lostCall) wantTruth(t *testing.T) {
	t.Helper()
	if l.version++; l.header != nil {
		l.version = 2
	}
	l.make(t)
	if l.secret == "" {
		t.Fatalf("%s: refused: %+v", l.Name, l.told)
	}
	l.wantStored(t)
	l.beside.WantOnlySecret(t, l.id, l.version, l.secret, l.rotating.secret)
}
