package secrecy_test

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

var canaries = flag.Int("canaries", 1000, "how many secrets the canary test issues, at least")

// A canaryTest issues secrets in every way there is, on a server that logs at
// debug level.
type canaryTest struct {
	secrecyTest

	mu sync.Mutex
}

// fly keeps a secret, once it was verified.
func (c *canaryTest) fly(t *testing.T, clientID, secret string) {
	t.Helper()
	answer, err := c.Secrets(servertest.ConnectJSON, c.token).VerifySecret(t.Context(), &clientsdv1.VerifySecretRequest{ClientId: clientID, Secret: secret})
	if err != nil || !answer.GetValid() {
		t.Fatalf("the secret is not valid, error %v", err)
	}
	found, err := c.Secrets(servertest.GRPC, c.token).FindSecret(t.Context(), &clientsdv1.FindSecretRequest{Secret: secret})
	if err != nil || found.GetClientId() != clientID {
		t.Fatalf("the secret was not found, error %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issued = append(c.issued, secret)
}

// rotate issues so many secrets over the other APIs.
func (c *canaryTest) rotate(t *testing.T, w servertest.Way, secrets int) {
	t.Helper()
	id := c.CreateAs(t, c.token, servertest.Request()).GetClientId()
	for i := range secrets {
		again := servertest.Attempt{Token: c.token, ClientID: id, Header: []string{"Idempotency-Key", fmt.Sprint(w.Name, i)}}
		secret := w.MustRotate(t, c.Server, again)
		if replayed := w.MustRotate(t, c.Server, again); replayed != secret {
			t.Fatal("a repeated call has another result")
		}
		c.fly(t, id, secret)
	}
}

// overlap issues so many secrets over the main API, each of which stays valid
// beside the next.
func (c *canaryTest) overlap(t *testing.T, protocol servertest.Protocol, secrets int) {
	t.Helper()
	made := c.CreateAs(t, c.token, servertest.Request())
	id, last := made.GetClientId(), made.GetClientSecret()
	for i := range secrets {
		answer, err := c.Clients(protocol, c.token).RegenerateSecret(t.Context(), &apiv1.RegenerateSecretRequest{
			ClientId: id, IncludeSecret: true, PreviousSecretValidFor: durationpb.New(time.Hour), ReplacePrevious: proto.Bool(true),
		})
		if err != nil {
			t.Fatalf("rotation %d: %v", i, err)
		}
		c.fly(t, id, last)
		last = answer.GetClientSecret()
	}
	c.fly(t, id, last)
}

// CI passes 10,000.
func TestSecrets_LeaveNoTrace(t *testing.T) {
	exported := servertest.StartCollector(t)
	watched := servertest.StartWatched(t)
	c := &canaryTest{secrecyTest: secrecyTest{Server: watched.Server}}
	c.token = c.Token(t, servertest.AllAPIs...)
	each := *canaries/(len(servertest.Ways())+len(servertest.Protocols())) + 1
	t.Run("issue", func(t *testing.T) {
		servertest.EachWay(t, func(t *testing.T, w servertest.Way) {
			t.Parallel()
			c.rotate(t, w, each)
		})
		servertest.EachProtocol(t, func(t *testing.T, protocol servertest.Protocol) {
			t.Parallel()
			c.overlap(t, protocol, each)
		})
	})
	id := c.CreateAs(t, c.token, servertest.Request()).GetClientId()
	c.goWrong(t, id)
	f := servertest.Finder{}
	for _, secret := range c.issued {
		f.Add(secret)
	}
	f.AddText("in clear, of a token", c.token[strings.LastIndex(c.token, ".")+1:])
	if len(c.issued) < *canaries || len(f) < 5**canaries {
		t.Fatalf("looking for %d texts of %d secrets, want %d secrets", len(f), len(c.issued), *canaries)
	}
	c.wantNoneInFiles(t, f, "clientsd.db", "clientsd.db-wal", "keyset.json")
	c.fail(t, id)
	metrics := watched.Read(t)
	c.Stop(t)
	c.wantNoneInFiles(t, f, "clientsd.db", "keyset.json")
	f.WantNone(t, "the log", []byte(c.Logs.String()))
	f.WantNone(t, "the answers", c.answers.Bytes())
	f.WantNone(t, "the metrics", []byte(metrics))
	f.WantNone(t, "what was exported", exported.Raw.Bytes())
	if len(exported.Spans) < *canaries || len(exported.Metrics) == 0 {
		t.Errorf("%d spans and %d metrics were exported: too few to be searched", len(exported.Spans), len(exported.Metrics))
	}
}
