package server_test

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

func TestEveryFaceIsOpenToExactlyThoseOfItsContract(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { c.Clock = func() time.Time { return time.Now().Add(ahead) } })
	callers := faceCallersOf(t, s)
	client := s.CreateAs(t, callers[len(callers)-1].token, servertest.Request())
	id, rotations := client.GetClientId(), int64(0)
	for _, w := range ways() {
		for _, c := range callers {
			secret, got := w.rotate(t, s, attempt{token: c.token, clientID: id})
			want := told{}
			switch refused := refusalOf(w, c); {
			case refused.code != 0:
				want = w.says(refused)
			default:
				rotations++
			}
			if diff := cmp.Diff(want, got); diff != "" || (secret == "") != (want.Body != nil) {
				t.Errorf("%s by a caller with %s (-want +got):\n%s", w.name, c.name, diff)
			}
		}
	}
	if got := s.Row(t, id).SecretVersion; got != 1+rotations || rotations == 0 {
		t.Errorf("the client has version %d of its secret after %d rotations", got, rotations)
	}
}

// refusalOf is the contract. The zero refusal is success.
func refusalOf(w way, c caller) refusal {
	switch {
	case c.refused != "":
		return refusal{code: connect.CodeUnauthenticated, message: c.refused}
	case !slices.ContainsFunc(w.scopes, func(scope string) bool { return slices.Contains(c.grants, scope) }):
		return refusal{connect.CodePermissionDenied, denied(w.scopes[0]).Message, w.scopes[0]}
	case c.foreign:
		return notThere
	default:
		return refusal{}
	}
}

// faceCallersOf are the callers of the main face's matrix, and in front of them
// those with the other faces' scopes, in either organisation.
func faceCallersOf(t *testing.T, s *servertest.Server) []caller {
	t.Helper()
	var callers []caller
	for _, organisation := range []string{"other", ""} {
		for name, scopes := range map[string][]string{
			"ZITADEL's scope":                 {appWrite},
			"Vigilo's scope":                  {clientManage},
			"both faces' scopes":              {appWrite, clientManage},
			"all scopes but the faces'":       {read, verify, admin},
			"scopes that look like the faces": {"project.app", "project.app.*", "client:", "client:manage2", "CLIENT:MANAGE", "project.app.write,client:manage"},
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
