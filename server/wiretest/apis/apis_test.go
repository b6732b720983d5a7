package apis_test

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

func TestRotation_OverEveryAPI(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.AllAPIs...)
	servertest.EachWay(t, func(t *testing.T, w servertest.Way) {
		made := s.Create(t, servertest.Request())
		secrets := []string{made.GetClientSecret()}
		for i := range 2 {
			secrets = append(secrets, w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: made.GetClientId(), Header: []string{"X-Request-Id", fmt.Sprint("call-", i)}}))
		}
		s.WantOnlySecret(t, made.GetClientId(), 3, secrets[2], secrets[:2]...)
		events := s.Events(t, made.GetClientId())
		if len(events) != 3 {
			t.Fatalf("got %d events, want 3", len(events))
		}
		id := uuid.MustParse(made.GetClientId())
		wantEvent(t, events[2], &ent.ClientEvent{
			ClientID: &id, Organisation: "default", ActorOrganisation: "default",
			SecretVersion: 3, RequestID: "call-1", API: w.API, SecretLookup: servertest.Lookup(t, secrets[2]),
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

var public = servertest.Refusal{Code: connect.CodeFailedPrecondition, Message: "client is public: it has no secret"}

func TestRotation_HiddenClientOverEveryAPI(t *testing.T) {
	s := servertest.Start(t)
	mine, open := s.Create(t, servertest.Request()).GetClientId(), s.Create(t, servertest.PublicRequest()).GetClientId()
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request()).GetClientId()
	before := s.Row(t, foreign)
	token := s.Token(t, servertest.AllAPIs...)
	for _, w := range servertest.Ways() {
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
			t.Run(w.Name+", "+name, func(t *testing.T) {
				w.WantRefused(t, s, servertest.Attempt{Token: token, ClientID: id}, servertest.NotFound)
			})
		}
		w.WantRefused(t, s, servertest.Attempt{Token: token, ClientID: open}, public)
		w.MustRotate(t, s, servertest.Attempt{Token: token, ClientID: strings.ToUpper(mine)})
	}
	servertest.WantSameRow(t, before, s.Row(t, foreign))
	s.WantEvents(t, open, "created 0")
	s.WantHistory(t, mine, int64(len(servertest.Ways()))+1)
}

// All APIs rotate through one path: however they are mixed, each rotation is
// one version, and one secret is left.
func TestRotation_ConcurrentOverAllAPIs(t *testing.T) {
	const callers, each = 16, 2
	s := servertest.Start(t)
	made := s.Create(t, servertest.Request())
	ways := append(servertest.Ways(), servertest.Way{Name: "the main API", Rotate: servertest.OverXeonr})
	issued := make([][]string, callers*len(ways))
	with := servertest.Attempt{Token: s.Token(t, servertest.AllAPIs...), ClientID: made.GetClientId()}
	servertest.Concurrently(len(issued), func(i int) {
		for range each {
			secret, refused := ways[i%len(ways)].Rotate(t, s, with)
			if secret == "" {
				t.Errorf("%s: %+v", ways[i%len(ways)].Name, refused)
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
	s.WantHistory(t, made.GetClientId(), versions)
}

func TestCORS_OfEveryAPI(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.CORSOrigins = []string{"https://console.example.com"} })
	for _, path := range []string{servertest.ZitadelPath(servertest.Application, "x"), "/client/x/regenerate-secret", "/zitadel.management.v1.ManagementService/RegenerateOIDCClientSecret"} {
		request := s.NewRequest(t, path, "", nil)
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
