package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent/clientevent"
)

// Delete removes a client, its secret and its logo. Its events stay.
//
// Errors: ErrNotFound.
func (s *Store) Delete(ctx context.Context, caller Caller, id uuid.UUID) error {
	return s.inTx(ctx, "delete client", func(ctx context.Context, tx *unit) error {
		row, err := tx.OAuthClient.Query().Where(visible(caller, id), locked).Only(ctx)
		if err != nil {
			return err
		}
		if err := tx.OAuthClient.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return s.record(ctx, tx, caller, row, event{kind: clientevent.KindDeleted})
	})
}
