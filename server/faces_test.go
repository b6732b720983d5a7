package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestEveryFaceReplacesTheSecretAndIsNamedByTheEvent(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, faceScopes...)
	eachWay(t, func(t *testing.T, w way) {
		made := s.Create(t, servertest.Request())
		secrets := []string{made.GetClientSecret()}
		for i := range 2 {
			secrets = append(secrets, w.mustRotate(t, s, attempt{token, made.GetClientId(), []string{"X-Request-Id", fmt.Sprint("call-", i)}}))
		}
		wantOnlySecret(t, s, made.GetClientId(), 3, secrets[2], secrets[:2]...)
		events := s.Events(t, made.GetClientId())
		if len(events) != 3 {
			t.Fatalf("got %d events, want 3", len(events))
		}
		wantEvent(t, events[2], &ent.ClientEvent{
			ClientID: uuid.MustParse(made.GetClientId()), Organisation: "default", ActorOrganisation: "default",
			SecretVersion: 3, RequestID: "call-1", API: w.face,
		})
	})
}

// wantEvent fails the test unless an event tells of a rotation whose secret was
// released, by a caller that the tests' tokens name.
func wantEvent(t *testing.T, got, want *ent.ClientEvent) {
	t.Helper()
	want.Kind, want.SecretReleased = clientevent.KindSecretRotated, true
	want.ActorIssuer, want.ActorSubject, want.Address = got.ActorIssuer, "urn:xeonr:serviceaccount:test", "127.0.0.1"
	if got.ActorIssuer == "" {
		t.Error("the event names no issuer")
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ent.ClientEvent{}), cmpopts.IgnoreFields(ent.ClientEvent{}, "ID", "At")); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

var (
	notThere = refusal{code: connect.CodeNotFound, message: "client not found"}
	public   = refusal{code: connect.CodeFailedPrecondition, message: "client is public: it has no secret"}
)

func TestWhatIsNoClientOfTheCallerAnswersAlikeOnEveryFace(t *testing.T) {
	s := servertest.Start(t)
	mine, open := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request()).GetClientId()
	before := s.Row(t, foreign)
	token := s.Token(t, faceScopes...)
	for _, w := range ways() {
		for name, id := range map[string]string{
			"a client that does not exist":        uuid.NewString(),
			"a client of another organisation":    foreign,
			"an id of ZITADEL's":                  "69629023906488334",
			"an id without its hyphens":           strings.ReplaceAll(mine, "-", ""),
			"an id as a URN":                      "urn:uuid:" + mine,
			"an id between other characters":      "x" + mine + "x",
			"an id without its end":               mine[:35],
			"an id of 150 characters":             strings.Repeat("a", 150),
			"an id that is hexadecimal no longer": "g" + mine[1:],
		} {
			t.Run(w.name+", "+name, func(t *testing.T) {
				w.wantRefused(t, s, attempt{token: token, clientID: id}, notThere)
			})
		}
		w.wantRefused(t, s, attempt{token: token, clientID: open}, public)
		w.mustRotate(t, s, attempt{token: token, clientID: strings.ToUpper(mine)})
	}
	wantSameRow(t, before, s.Row(t, foreign))
	wantEvents(t, s, open, "created 0")
	wantHistory(t, s, mine, int64(len(ways()))+1)
}

// All faces rotate through one path: however they are mixed, each rotation is
// one version, and one secret is left.
func TestFacesAtOnceMakeOneVersionEachAndLeaveOneSecret(t *testing.T) {
	const callers, each = 16, 2
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	ways := append(ways(), way{name: "the main face", rotate: overMain})
	issued := make([][]string, callers*len(ways))
	with := attempt{token: s.Token(t, faceScopes...), clientID: made.GetClientId()}
	together(len(issued), func(i int) {
		for range each {
			secret, refused := ways[i%len(ways)].rotate(t, s, with)
			if secret == "" {
				t.Errorf("%s: %+v", ways[i%len(ways)].name, refused)
				return
			}
			issued[i] = append(issued[i], secret)
		}
	})

	versions := int64(len(issued)*each + 1)
	secrets := append(slices.Concat(issued...), made.GetClientSecret())
	var valid []int64
	for _, secret := range secrets {
		if answer := s.Verify(t, made.GetClientId(), secret); answer.GetValid() {
			valid = append(valid, answer.GetSecretVersion())
		}
	}
	if int64(len(secrets)) != versions || !slices.Equal(valid, []int64{versions}) {
		t.Errorf("of %d secrets those of versions %v are valid, want one, of version %d", len(secrets), valid, versions)
	}
	slices.Sort(secrets)
	if int64(len(slices.Compact(secrets))) != versions {
		t.Error("a secret was issued twice")
	}
	wantHistory(t, s, made.GetClientId(), versions)
}

func TestPagesOfConfiguredOriginsMayCallTheFaces(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.CORSOrigins = []string{"https://console.example.com"} })
	for _, path := range []string{restPath(application, "x"), "/client/x/regenerate-secret", "/zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"} {
		request := newCall(t, s, path, "", nil)
		request.Method = http.MethodOptions
		for name, value := range map[string]string{
			"Origin": "https://console.example.com", "Access-Control-Request-Method": http.MethodPost,
			"Access-Control-Request-Headers": "authorization,content-type,x-zitadel-orgid",
		} {
			request.Header.Set(name, value)
		}
		response, _ := servertest.Do(t, request)
		if got := response.Header.Get("Access-Control-Allow-Headers"); response.StatusCode != http.StatusNoContent || got != "authorization,content-type,x-zitadel-orgid" {
			t.Errorf("%s: got %s, allowed headers %q", path, response.Status, got)
		}
	}
}
