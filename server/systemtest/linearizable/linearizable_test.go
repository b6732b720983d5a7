// Package linearizable_test checks the promise of one valid secret the hard
// way: it records what many concurrent callers saw, and asks a linearizability
// checker whether they could have seen it if each call had happened in an instant.
//
// The default is a short run; CI runs ten histories of 10,000 operations:
//
//	go test ./server/systemtest/linearizable -histories 10 -operations 10000
package linearizable_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/anishathalye/porcupine"
	"google.golang.org/protobuf/types/known/durationpb"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	"clientsd/gen/go/clientsd/v1/clientsdv1connect"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/server/servertest"
)

var (
	histories  = flag.Int("histories", 2, "how many histories to record and check")
	operations = flag.Int("operations", 1500, "how many operations a history has")
)

const (
	workers = 64
	clients = 24
	// patience bounds one check; a history that takes longer counts as unknown.
	patience = 2 * time.Minute
)

func TestHistories_AreLinearizable(t *testing.T) {
	server := servertest.Start(t)
	for n := range *histories {
		run := newRun(t, server)
		history := run.record(t, *operations, run.verify)
		switch result := porcupine.CheckOperationsTimeout(model(run.initial), history, patience); result {
		case porcupine.Ok:
		case porcupine.Illegal:
			t.Errorf("history %d: somebody saw what cannot be", n)
		case porcupine.Unknown:
			t.Errorf("history %d: could not be checked in %v", n, patience)
		}
	}
}

func TestModel_CatchesAStaleAccept(t *testing.T) {
	run := newRun(t, servertest.Start(t))
	// The seeded bug: a cache in front of verification that trusts an accepted
	// secret for a moment longer than the server does.
	var mu sync.Mutex
	accepted := map[string]output{}
	stale := func(ctx context.Context, in input) (output, error) {
		mu.Lock()
		out, ok := accepted[in.secret]
		mu.Unlock()
		if ok {
			return out, nil
		}
		out, err := run.verify(ctx, in)
		if err == nil && out.version != 0 {
			mu.Lock()
			accepted[in.secret] = out
			mu.Unlock()
		}
		return out, err
	}
	history := run.record(t, 1500, stale)
	if result := porcupine.CheckOperationsTimeout(model(run.initial), history, patience); result != porcupine.Illegal {
		t.Errorf("a stale accept: got %v, want it to be found illegal", result)
	}
}

// run is one history in the making, on clients of its own.
type run struct {
	clients clientsOf
	secrets clientsdv1connect.SecretsServiceClient
	ids     []string
	initial []state
	latest  []atomic.Pointer[made] // the last rotation somebody saw, to replay and to verify
	sent    atomic.Int64
}

type clientsOf = apiv1connect.ClientsServiceClient

// made is what a rotation under a key has answered.
type made struct {
	key    string
	secret string
	before string
	at     int64
}

func newRun(t *testing.T, server *servertest.Server) *run {
	t.Helper()
	token := server.Token(t, servertest.All...)
	protocol := servertest.Protocols()[1]
	r := &run{
		clients: server.Clients(protocol, token),
		secrets: server.Secrets(protocol, token),
		latest:  make([]atomic.Pointer[made], clients),
	}
	for i := range clients {
		client := server.CreateAs(t, token, servertest.Request())
		r.ids = append(r.ids, client.GetClientId())
		r.initial = append(r.initial, state{version: 1, secret: client.GetClientSecret()})
		r.latest[i].Store(&made{secret: client.GetClientSecret(), before: client.GetClientSecret()})
	}
	return r
}

// record runs so many operations in all, each worker one after the other.
func (r *run) record(t *testing.T, total int, check func(context.Context, input) (output, error)) []porcupine.Operation {
	t.Helper()
	var mu sync.Mutex
	var history []porcupine.Operation
	var group sync.WaitGroup
	start := time.Now()
	for worker := range workers {
		group.Go(func() {
			for r.sent.Add(1) <= int64(total) {
				op, err := r.one(t.Context(), worker, start, check)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return history
}

func (r *run) one(ctx context.Context, worker int, start time.Time, check func(context.Context, input) (output, error)) (porcupine.Operation, error) {
	in := r.choose()
	op := porcupine.Operation{ClientId: worker, Call: int64(time.Since(start))}
	var out output
	var err error
	switch in.kind {
	case rotate:
		out, err = r.rotate(ctx, in)
	case get:
		out, err = r.get(ctx, in)
	case verify:
		out, err = check(ctx, in)
	case replay:
		in, out, err = r.replay(ctx, in)
	case overlap:
		out, err = r.overlap(ctx, in)
	case revoke:
		out, err = r.revoke(ctx, in)
	}
	op.Return, op.Input, op.Output = int64(time.Since(start)), in, out
	return op, err
}

// choose picks an operation: as many rotations as everything else needs to
// collide with them.
func (r *run) choose() input {
	in := input{client: rand.IntN(clients), kind: kind(rand.IntN(6))}
	last := r.latest[in.client].Load()
	switch {
	case in.kind == replay && last.key == "":
		in.kind = get
	case in.kind == verify && rand.IntN(2) == 0:
		in.secret = last.before
	case in.kind == verify:
		in.secret = last.secret
	}
	return in
}

func (r *run) rotate(ctx context.Context, in input) (output, error) {
	key := fmt.Sprintf("key-%d", rand.Int64())
	out, err := r.send(ctx, in, key)
	if err == nil {
		last := r.latest[in.client].Load()
		r.latest[in.client].Store(&made{key: key, secret: out.secret, before: last.secret, at: out.version})
	}
	return out, err
}

// replay sends the last rotation once more, as a caller does whose answer got
// lost.
func (r *run) replay(ctx context.Context, in input) (input, output, error) {
	last := r.latest[in.client].Load()
	in.made, in.secret = last.at, last.secret
	out, err := r.send(ctx, in, last.key)
	if connect.CodeOf(err) == connect.CodeFailedPrecondition {
		return in, output{}, nil
	}
	return in, out, err
}

func (r *run) send(ctx context.Context, in input, key string) (output, error) {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Idempotency-Key", key)
	answer, err := r.clients.RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{ClientId: r.ids[in.client], IncludeSecret: true})
	return output{version: answer.GetSecretVersion(), secret: answer.GetClientSecret()}, err
}

// overlap rotates without a key: such rotations share transactions on PostgreSQL.
func (r *run) overlap(ctx context.Context, in input) (output, error) {
	answer, err := r.clients.RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{
		ClientId: r.ids[in.client], IncludeSecret: true, PreviousSecretValidFor: durationpb.New(time.Hour),
	})
	if connect.CodeOf(err) == connect.CodeFailedPrecondition {
		return output{}, nil
	}
	if err == nil {
		last := r.latest[in.client].Load()
		r.latest[in.client].Store(&made{secret: answer.GetClientSecret(), before: last.secret})
	}
	return output{version: answer.GetSecretVersion(), secret: answer.GetClientSecret()}, err
}

func (r *run) revoke(ctx context.Context, in input) (output, error) {
	answer, err := r.secrets.RevokePreviousSecret(ctx, &clientsdv1.RevokePreviousSecretRequest{ClientId: r.ids[in.client]})
	return output{version: answer.GetSecretVersion(), revoked: answer.GetRevoked()}, err
}

func (r *run) get(ctx context.Context, in input) (output, error) {
	answer, err := r.clients.GetClient(ctx, &apiv1.GetClientRequest{ClientId: r.ids[in.client], IncludeSecret: true})
	return output{version: answer.GetClient().GetSecretVersion(), secret: answer.GetClient().GetClientSecret()}, err
}

func (r *run) verify(ctx context.Context, in input) (output, error) {
	answer, err := r.secrets.VerifySecret(ctx, &clientsdv1.VerifySecretRequest{ClientId: r.ids[in.client], Secret: in.secret})
	return output{version: answer.GetSecretVersion()}, err
}
