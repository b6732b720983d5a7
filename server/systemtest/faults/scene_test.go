//go:build linux

package faults_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/reqctx"
	"clientsd/server/servertest"
)

// A scene is what a fault happens to: replicas on one database, and the clients
// that callers have made there.
type scene struct {
	row      *row
	replicas []*replica
	dir      string // of the database file, on SQLite
	// stored is everything the database keeps, to look for secrets.
	stored    func(t *testing.T) []byte
	histories []*history
}

// anyAwake is the replica of a caller, and from the second attempt on any that
// is not frozen.
func (s *scene) anyAwake(caller, attempt int) *replica {
	own := s.replicas[caller%len(s.replicas)]
	if attempt == 0 {
		return own
	}
	awake := slices.DeleteFunc(slices.Clone(s.replicas), func(r *replica) bool { return r.frozen.Load() })
	if len(awake) == 0 {
		return own
	}
	return awake[rand.IntN(len(awake))]
}

// newClients registers so many clients.
func (s *scene) newClients(t *testing.T, n int) []*history {
	t.Helper()
	for i := range n {
		r := begin(false)
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set(reqctx.IDHeader, r.id)
		answer, err := s.replicas[i%len(s.replicas)].clients().CreateClient(ctx, servertest.Request())
		if err != nil {
			t.Fatalf("create client: %v", err)
		}
		made := answer.GetClient()
		r.outcome, r.version, r.secret = acknowledged, 1, made.GetClientSecret()
		h := &history{clientID: made.GetClientId()}
		h.add(r)
		s.histories = append(s.histories, h)
	}
	return s.histories[len(s.histories)-n:]
}

// load lets so many callers loose on clients of their own.
func (s *scene) load(t *testing.T, clients, callers int) *load {
	t.Helper()
	l := &load{scene: s, histories: s.newClients(t, clients), pick: s.anyAwake}
	return l.start(t, callers)
}

// check judges some clients by what every replica says of them. Nobody may
// change them meanwhile.
func (s *scene) check(t *testing.T, histories []*history) {
	t.Helper()
	for _, h := range histories {
		for _, r := range s.replicas {
			s.judge(t, h, r)
		}
	}
}

func (s *scene) judge(t *testing.T, h *history, r *replica) {
	t.Helper()
	j := judge(h, r.view(t, h))
	s.row.judged(j)
	for _, problem := range j.problems {
		t.Errorf("client %s at %s: %s", h.clientID, r.name, problem)
	}
}

// finish judges all clients once more, by any replica, and looks for their
// secrets where none belongs.
func (s *scene) finish(t *testing.T) {
	t.Helper()
	f := servertest.Finder{}
	for i, h := range s.histories {
		s.judge(t, h, s.replicas[i%len(s.replicas)])
		s.row.acknowledged += h.acknowledged()
		for _, secret := range h.secrets() {
			f.Add(secret)
		}
	}
	searched := map[string][]byte{"the database": s.stored(t)}
	for _, r := range s.replicas {
		searched["the log of "+r.name] = []byte(r.logs.String())
	}
	for where, data := range searched {
		f.WantNone(t, where, data)
		if len(data) == 0 {
			t.Errorf("%s is empty: there is nothing to search", where)
		}
	}
}

// view asks a replica for all that it knows of a client.
func (r *replica) view(t *testing.T, h *history) view {
	t.Helper()
	answer, err := r.clients().GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: h.clientID, IncludeSecret: true})
	if err != nil {
		t.Fatalf("%s: get client: %v", r.name, err)
	}
	v := view{
		version: answer.GetClient().GetSecretVersion(),
		secret:  answer.GetClient().GetClientSecret(),
		made:    r.made(t, h.clientID),
	}
	known := append(h.secrets(), v.secret)
	slices.Sort(known)
	v.accepted = r.accepted(t, h.clientID, slices.Compact(known))
	return v
}

// made is every event by which a client was given a secret, the oldest first.
func (r *replica) made(t *testing.T, clientID string) (all []made) {
	t.Helper()
	request := &clientsdv1.ListClientEventsRequest{ClientId: clientID, PageSize: 1000}
	for {
		page, err := r.secrets().ListClientEvents(t.Context(), request)
		if err != nil {
			t.Fatalf("%s: list events: %v", r.name, err)
		}
		for _, e := range page.GetEvents() {
			if e.GetKind() == clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_CREATED ||
				e.GetKind() == clientsdv1.ClientEventKind_CLIENT_EVENT_KIND_SECRET_ROTATED {
				all = append(all, made{e.GetSecretVersion(), e.GetRequestId()})
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// accepted presents every secret, several concurrently.
func (r *replica) accepted(t *testing.T, clientID string, secrets []string) map[string]int64 {
	t.Helper()
	const parallel = 8
	var mu sync.Mutex
	var group sync.WaitGroup
	accepted := map[string]int64{}
	for some := range slices.Chunk(secrets, len(secrets)/parallel+1) {
		group.Go(func() {
			for _, secret := range some {
				version, err := r.verify(t.Context(), clientID, secret)
				if err != nil {
					t.Errorf("%s: verify: %v", r.name, err)
				}
				if version != 0 {
					mu.Lock()
					accepted[secret] = version
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return accepted
}
