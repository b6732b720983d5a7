package access_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"clientsd/server"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestPermissions_OfEveryAPI(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.Clock = func() time.Time { return time.Now().Add(ahead) } })
	callers := apiCallersOf(t, s)
	client := s.CreateAs(t, callers[len(callers)-1].token, servertest.Request())
	id, rotations := client.GetClientId(), int64(0)
	for _, w := range servertest.Ways() {
		for _, c := range callers {
			secret, got := w.Rotate(t, s, servertest.Attempt{Token: c.token, ClientID: id})
			want := servertest.WireRefusal{}
			switch refused := refusalOf(w, c); {
			case refused.Code != 0:
				want = w.Render(refused)
			default:
				rotations++
			}
			if diff := cmp.Diff(want, got); diff != "" || (secret == "") != (want.Body != nil) {
				t.Errorf("%s by a caller with %s (-want +got):\n%s", w.Name, c.name, diff)
			}
		}
	}
	if got := s.Row(t, id).SecretVersion; got != 1+rotations || rotations == 0 {
		t.Errorf("the client has version %d of its secret after %d rotations", got, rotations)
	}
}

// refusalOf is the contract. The zero refusal is success.
func refusalOf(w servertest.Way, c caller) servertest.Refusal {
	switch {
	case c.refused != "":
		return servertest.Refusal{Code: connect.CodeUnauthenticated, Message: c.refused}
	case !slices.ContainsFunc(w.Scopes, func(scope string) bool { return slices.Contains(c.grants, scope) }):
		return servertest.Lacking(w.Scopes...)
	case c.foreign:
		return servertest.NotFound
	default:
		return servertest.Refusal{}
	}
}

// apiCallersOf are the callers of the main API's matrix, and in front of them
// those with the other APIs' scopes, in either organisation.
func apiCallersOf(t *testing.T, s *servertest.Server) []caller {
	t.Helper()
	var callers []caller
	for _, organisation := range []string{"other", ""} {
		for name, scopes := range map[string][]string{
			"ZITADEL's scope":                {servertest.ScopeAppWrite},
			"Vigilo's scope":                 {servertest.ScopeClientManage},
			"both APIs' scopes":              {servertest.ScopeAppWrite, servertest.ScopeClientManage},
			"all scopes but the APIs'":       {servertest.ScopeRead, servertest.ScopeVerify, servertest.ScopeAdmin},
			"scopes that look like the APIs": {"project.app", "project.app.*", "client:", "client:manage2", "CLIENT:MANAGE", "project.app.write,client:manage"},
		} {
			callers = append(callers, caller{
				name:    fmt.Sprintf("%s in organisation %q", name, organisation),
				token:   s.Mint(t, issuer.Grant{Scopes: scopes, Organisation: organisation, TTL: 24 * time.Hour}),
				grants:  scopes,
				foreign: organisation != "",
			})
		}
	}
	return append(callers, callersOf(t, s)...)
}
