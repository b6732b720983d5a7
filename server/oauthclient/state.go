package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/ent/oauthclient"
)

// A State tells what a client has been from what it is: as long as its State is
// the same, its record is, without the secret.
type State struct {
	revision                     int64
	updatedAt, previousSecretUse int64 // in microseconds since 1970, as databases hold them; 0: never
}

// stateColumns are what State scans, in this order. Whatever changes a client
// changes its revision, but for the last use of its previous secret.
func stateColumns() []string {
	return []string{oauthclient.FieldRevision, oauthclient.FieldUpdatedAt, oauthclient.FieldPreviousSecretLastUsedAt}
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
	var (
		revision          int64
		updatedAt         time.Time
		previousSecretUse *time.Time
	)
	found, err := s.scanOwn(ctx, s.statements.state, caller, id, &revision, &updatedAt, &previousSecretUse)
	switch {
	case err != nil:
		return State{}, s.toError("get state of client", err)
	case !found:
		return State{}, ErrNotFound
	}
	return stateOf(revision, updatedAt, previousSecretUse), nil
}
