package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/server/batch"
)

const (
	// maxRotationBatches bounds how many shared transactions run at the same time.
	maxRotationBatches = 2
	// minTimeToShare is how much time a caller must have left to share a transaction,
	// which ends with the first deadline of its callers.
	minTimeToShare = time.Second
)

// A rotation is a call of Rotate that is ready for its transaction.
type rotation struct {
	caller   Caller
	in       RotateInput
	secret   newSecret
	deadline time.Time // zero: none
	row      *Client   // as the rotation leaves it
}

// canShare reports whether a rotation may share a transaction. The result of an
// idempotency key is looked up in a transaction of its own.
func (s *Store) canShare(r *rotation) bool {
	return s.transactStatement != nil && r.in.Key == (IdempotencyKey{}) &&
		(r.deadline.IsZero() || time.Until(r.deadline) >= minTimeToShare)
}

// commitRotations implements Commit of the store's batcher. A client that was not
// rotated has its reason, which a transaction of its own finds out.
func (s *Store) commitRotations(ctx context.Context, take batch.Take[*rotation]) error {
	clients := make(map[uuid.UUID]bool)
	calls := take(func(r *rotation) bool { // at most one rotation of each client
		taken := clients[r.in.ClientID]
		clients[r.in.ClientID] = true
		return !taken
	})
	if len(calls) == 0 {
		return nil
	}
	rotations := make([]*rotation, len(calls))
	for i, call := range calls {
		rotations[i] = call.Item
	}
	ctx, cancel := withFirstDeadline(ctx, rotations)
	defer cancel()
	rotated, err := s.replaceSecrets(ctx, rotations)
	for _, call := range calls {
		if call.Item.row = rotated[call.Item.in.ClientID]; call.Item.row == nil {
			call.Err = batch.ErrRunSolo
		}
	}
	return err
}

// withFirstDeadline ends a context with the first deadline of the rotations.
func withFirstDeadline(ctx context.Context, rotations []*rotation) (context.Context, context.CancelFunc) {
	var first time.Time
	for _, r := range rotations {
		if first.IsZero() || !r.deadline.IsZero() && r.deadline.Before(first) {
			first = r.deadline
		}
	}
	if first.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, first)
}
