package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// A State tells what a client has been from what it is: as long as its State is
// the same, its record is, without the secret.
type State struct {
	revision                     int64
	updatedAt, previousSecretUse int64 // in microseconds since 1970, as databases hold them; 0: never
}

// State is that of the record.
func (r Record) State() State {
	return stateOf(r.Revision, r.UpdatedAt, r.PreviousSecretLastUsedAt)
}

func stateOf(revision int64, updatedAt time.Time, previousSecretUse *time.Time) State {
	state := State{revision: revision, updatedAt: updatedAt.UnixMicro()}
	if previousSecretUse != nil {
		state.previousSecretUse = previousSecretUse.UnixMicro()
	}
	return state
}

// State is that of the record which [Store.Get] would return, for a fraction of
// what it costs to read that.
//
// Errors: ErrNotFound.
func (s *Store) State(ctx context.Context, caller Caller, id uuid.UUID) (State, error) {
	record, err := s.Get(ctx, caller, id)
	if err != nil {
		return State{}, err
	}
	return record.State(), nil
}
