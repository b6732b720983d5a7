package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"clientsd/server/servertest"
)

func TestFacesLeaveNoSecretInFilesLogsOrRefusals(t *testing.T) {
	s := &secrecyTest{Server: servertest.Start(t)}
	token, tokens := s.Token(t, faceScopes...), finder{}
	tokens.add(token[strings.LastIndex(token, ".")+1:])
	issued := finder{}
	for _, w := range ways() {
		made := s.Create(t, servertest.Request())
		issued.add(made.GetClientSecret())
		secret := w.mustRotate(t, s.Server, attempt{token: token, clientID: made.GetClientId()})
		issued.add(secret)
		// A secret where an id, a token, an organisation or the id of a call belongs.
		for _, c := range []attempt{{token, secret, nil}, {secret, made.GetClientId(), nil}, {token, uuid.NewString(), []string{"X-Zitadel-Orgid", secret}}} {
			_, refused := w.rotate(t, s.Server, c)
			wantNone(t, issued, "a refusal of "+w.name, fmt.Append(nil, refused))
		}
	}
	s.wantNoneInFiles(t, issued, "clientsd.db", "clientsd.db-wal", "keyset.json")
	s.wantNoneInFiles(t, tokens, "clientsd.db", "clientsd.db-wal", "keyset.json")
	s.Stop(t)
	for _, f := range []finder{issued, tokens} {
		s.wantNoneInFiles(t, f, "clientsd.db", "keyset.json")
		wantNone(t, f, "the log", []byte(s.Logs.String()))
	}
}

func TestWhatIsRememberedOfACallIsNeitherItsSecretNorItsKey(t *testing.T) {
	s := &secrecyTest{Server: servertest.Start(t)}
	clients := s.Clients(over, s.Token(t, manage))
	f := finder{}
	const key = "9b2f4c1d-idempotency-canary-key-7d31a5"
	f.addText("a key in clear", key[:16])
	id := s.Create(t, servertest.Request()).GetClientId()
	for i := range 50 {
		name := key + strings.Repeat("+", i)
		f.add(mustRegenerate(t, clients, name, release(id)).GetClientSecret())
		f.add(mustRegenerate(t, clients, name, release(id)).GetClientSecret())
	}
	if n, err := s.Database(t).Read.IdempotencyKey.Query().Count(t.Context()); err != nil || n != 50 {
		t.Fatalf("%d calls are remembered, error %v, want 50", n, err)
	}
	s.wantNoneInFiles(t, f, "clientsd.db", "clientsd.db-wal")
}
