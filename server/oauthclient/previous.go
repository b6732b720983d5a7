package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
)

const (
	// lastUsedGrain is how exactly the last use of a previous secret is known: a
	// client that goes on using it costs one write in that time.
	lastUsedGrain = time.Minute
	// lastUsedPatience bounds how long a verification waits to write it down.
	lastUsedPatience = 500 * time.Millisecond
)

// RevokePrevious ends the overlap of a rotation. It reports false, and changes
// nothing, if there is none.
//
// Errors: ErrNotFound; ErrPublicClient.
func (s *Store) RevokePrevious(ctx context.Context, caller Caller, id uuid.UUID) (row *Client, revoked bool, err error) {
	err = s.inTx(ctx, "revoke previous secret", func(tx *ent.Tx) error {
		now := s.now()
		revoked = false
		ended, err := tx.OAuthClient.Update().
			Where(visible(caller, id), oauthclient.PreviousSecretExpiresAtGT(now)).
			ClearPreviousSecretDigest().ClearPreviousSecretExpiresAt().ClearPreviousSecretLastUsedAt().
			AddRevision(1).SetUpdatedAt(now).
			Save(ctx)
		if err != nil {
			return err
		}
		row, err = s.getRow(ctx, tx, caller, id)
		switch {
		case err != nil:
			return err
		case !row.HasSecret:
			return ErrPublicClient
		case ended == 0:
			return nil
		}
		revoked = true
		return s.record(ctx, tx, caller, row, event{kind: clientevent.KindPreviousSecretRevoked})
	})
	if err != nil {
		return nil, false, err
	}
	return row, revoked, nil
}

// notePreviousUse makes visible that somebody still uses the previous secret.
// The answer to the verification does not depend on it: a failure is logged.
func (s *Store) notePreviousUse(ctx context.Context, id uuid.UUID, stored digests) {
	now := s.now()
	if stored.previousUsed.Valid && now.Sub(stored.previousUsed.Time) < lastUsedGrain {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastUsedPatience)
	defer cancel()
	err := s.inTx(ctx, "note use of previous secret", func(tx *ent.Tx) error {
		return tx.OAuthClient.Update().
			Where(oauthclient.ID(id), oauthclient.SecretVersion(stored.version), oauthclient.PreviousSecretExpiresAtNotNil()).
			SetPreviousSecretLastUsedAt(now.Truncate(lastUsedGrain)).
			Exec(ctx)
	})
	if err != nil {
		s.log.WarnContext(ctx, "the use of a previous secret is not on record", "client", id, "error", err)
	}
}
