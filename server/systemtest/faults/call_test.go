//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	clientsdv1 "clientsd/gen/go/clientsd/v1"
	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/reqctx"
)

// patience is how long a caller waits for an answer. It is longer than an answer
// may take, so that the table can say how long it took.
const patience = 3 * limit

// An answer is what has come of a call.
type answer struct {
	err  error
	took time.Duration
}

// ask makes a call that carries no deadline: the server must know by itself when
// to give up.
func ask(ctx context.Context, patience time.Duration, do func(context.Context) error) answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(patience, cancel).Stop()
	began := time.Now()
	err := do(ctx)
	return answer{err, time.Since(began)}
}

// rotate asks a replica for a rotation.
func (r *replica) rotate(ctx context.Context, clientID string, asked rotation) (*apiv1.Client, error) {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set(reqctx.IDHeader, asked.id)
	if asked.keyed {
		info.RequestHeader().Set(reqctx.IdempotencyHeader, asked.id)
	}
	return r.clients().RegenerateSecret(ctx, &apiv1.RegenerateSecretRequest{ClientId: clientID, IncludeSecret: true})
}

// verify asks a replica as which version it accepts a secret: 0 if it does not.
func (r *replica) verify(ctx context.Context, clientID, secret string) (int64, error) {
	got, err := r.secrets().VerifySecret(ctx, &clientsdv1.VerifySecretRequest{ClientId: clientID, Secret: secret})
	if err == nil && got.GetValid() != (got.GetSecretVersion() > 0) {
		return 0, fmt.Errorf("contradicts itself: %v", got)
	}
	return got.GetSecretVersion(), err
}

// outcome is what a caller knows by the answer to a rotation. A call that names
// no idempotency key and is told that the service cannot has changed nothing.
func (a answer) outcome(keyed bool) outcome {
	switch {
	case a.err == nil:
		return acknowledged
	case keyed && reason(a.err) == "SUPERSEDED":
		return superseded
	case !keyed && a.saysCannot():
		return refused
	default:
		return open
	}
}

// saysCannot reports one of the answers that callers may get while a fault lasts.
func (a answer) saysCannot() bool {
	code := connect.CodeOf(a.err)
	return connect.IsWireError(a.err) &&
		(code == connect.CodeUnavailable || code == connect.CodeAborted || code == connect.CodeDeadlineExceeded)
}

// isAllowed reports an answer that a caller may get: one of these, none at all,
// or what only idempotency keys are for.
func (a answer) isAllowed(keyed bool) bool {
	switch {
	case !connect.IsWireError(a.err), a.saysCannot():
		return true
	case keyed:
		return reason(a.err) == "SUPERSEDED"
	default:
		return connect.CodeOf(a.err) == connect.CodeUnknown && reason(a.err) == "OUTCOME_UNKNOWN"
	}
}

// complaint says what is wrong with an answer, or nothing. Only a frozen replica
// may take its time.
func (a answer) complaint(keyed, frozen bool) string {
	switch {
	case !a.isAllowed(keyed):
		return fmt.Sprintf("answered: %v", a.err)
	case a.took > limit && !frozen:
		return fmt.Sprintf("answered after %v: %v", a.took, a.err)
	default:
		return ""
	}
}

// reason is the constant for programs that an error carries, or empty.
func reason(err error) string {
	var answer *connect.Error
	if !errors.As(err, &answer) {
		return ""
	}
	for _, detail := range answer.Details() {
		value, err := detail.Value()
		if info, ok := value.(*errdetails.ErrorInfo); err == nil && ok {
			return info.GetReason()
		}
	}
	return ""
}
