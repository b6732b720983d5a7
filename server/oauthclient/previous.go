package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
	servertx "clientsd/server/tx"
)

// RevokePrevious ends the overlap of a rotation. If there is none it reports false
// and changes nothing.
//
// Errors: ErrNotFound; ErrPublicClient.
func (s *Store) RevokePrevious(ctx context.Context, caller Caller, id uuid.UUID) (row *Client, revoked bool, err error) {
	err = s.inTx(ctx, "revoke previous secret", func(ctx context.Context, tx *ent.Tx) error {
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
		row, err = tx.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
		switch {
		case err != nil:
			return err
		case !row.HasSecret:
			return ErrPublicClient
		case ended == 0 && hasPrevious(row, now): // rotated in between: the transaction runs again
			return servertx.ErrConflict
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

// hasPrevious reports whether the previous secret of a client is valid.
func hasPrevious(row *Client, now time.Time) bool {
	return row.PreviousSecretExpiresAt != nil && row.PreviousSecretExpiresAt.After(now)
}
