package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	servertx "clientsd/server/tx"
)

// RevokePrevious ends the overlap of a rotation. If there is none it reports false
// and changes nothing.
//
// Errors: ErrNotFound; ErrPublicClient.
func (s *Store) RevokePrevious(ctx context.Context, caller Caller, id uuid.UUID) (row *Client, revoked bool, err error) {
	err = s.inTx(ctx, "revoke previous secret", func(ctx context.Context, tx *unit) (err error) {
		now := s.now()
		row, err = scan(tx.QueryContext(ctx, s.statements.revoke, now, id, caller.Organisation))
		if revoked = err == nil; revoked {
			return s.record(ctx, tx, caller, row, event{kind: clientevent.KindPreviousSecretRevoked})
		}
		if !ent.IsNotFound(err) {
			return err
		}
		row, err = tx.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
		switch {
		case err != nil:
			return err
		case !row.HasSecret:
			return ErrPublicClient
		case hasPrevious(row, now): // rotated in between: the transaction runs again
			return servertx.ErrConflict
		default:
			return nil
		}
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
