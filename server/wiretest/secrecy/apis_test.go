package secrecy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/server/servertest"
)

func TestSecrets_OfOtherAPIs(t *testing.T) {
	s := &secrecyTest{Server: servertest.Start(t)}
	token, tokens := s.Token(t, servertest.AllAPIs...), servertest.Finder{}
	tokens.Add(token[strings.LastIndex(token, ".")+1:])
	issued := servertest.Finder{}
	for _, w := range servertest.Ways() {
		made := s.Create(t, servertest.Request())
		issued.Add(made.GetClientSecret())
		secret := w.MustRotate(t, s.Server, servertest.Attempt{Token: token, ClientID: made.GetClientId()})
		issued.Add(secret)
		// A secret where an id, a token, an organisation or the id of a call belongs.
		for _, c := range []servertest.Attempt{{Token: token, ClientID: secret, Header: nil}, {Token: secret, ClientID: made.GetClientId(), Header: nil}, {Token: token, ClientID: uuid.NewString(), Header: []string{"X-Zitadel-Orgid", secret}}} {
			_, refused := w.Rotate(t, s.Server, c)
			issued.WantNone(t, "a refusal of "+w.Name, fmt.Append(nil, refused))
		}
	}
	s.wantNoneInFiles(t, issued, "clientsd.db", "clientsd.db-wal", "keyset.json")
	s.wantNoneInFiles(t, tokens, "clientsd.db", "clientsd.db-wal", "keyset.json")
	s.Stop(t)
	for _, f := range []servertest.Finder{issued, tokens} {
		s.wantNoneInFiles(t, f, "clientsd.db", "keyset.json")
		f.WantNone(t, "the log", []byte(s.Logs.String()))
	}
}

func TestIdempotencyRecords_HoldNoSecretOrKey(t *testing.T) {
	s := &secrecyTest{Server: servertest.Start(t)}
	clients := s.Clients(servertest.ConnectJSON, s.Token(t, servertest.ScopeManage))
	f := servertest.Finder{}
	const key = "9b2f4c1d-idempotency-canary-key-7d31a5"
	f.AddText("a key in clear", key[:16])
	id := s.Create(t, servertest.Request()).GetClientId()
	for i := range 50 {
		name := key + strings.Repeat("+", i)
		f.Add(servertest.RotateWithKey(t, clients, name, servertest.RotateRequest(id)).GetClientSecret())
		f.Add(servertest.RotateWithKey(t, clients, name, servertest.RotateRequest(id)).GetClientSecret())
	}
	if n, err := s.Database(t).Read.IdempotencyKey.Query().Count(t.Context()); err != nil || n != 50 {
		t.Fatalf("%d calls are remembered, error %v, want 50", n, err)
	}
	s.wantNoneInFiles(t, f, "clientsd.db", "clientsd.db-wal")
}
