package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent/clientevent"
	"clientsd/ent/clientlogo"
)

// SetLogo replaces the logo of a client with the image png, which hash names from
// now on. The image must have been checked: it is served as it is.
//
// Errors: ErrNotFound.
func (s *Store) SetLogo(ctx context.Context, caller Caller, id uuid.UUID, png []byte, hash string) (Logo, error) {
	err := s.inTx(ctx, "set logo", func(ctx context.Context, tx *unit) error {
		err := tx.OAuthClient.Update().Where(visible(caller, id)).
			SetLogoHash(hash).AddRevision(1).SetUpdatedAt(s.now()).Exec(ctx)
		if err != nil {
			return err
		}
		row, err := tx.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
		if err != nil {
			return err
		}
		if err := replaceLogo(ctx, tx, id, png); err != nil {
			return err
		}
		return s.record(ctx, tx, caller, row, event{kind: clientevent.KindLogoUploaded})
	})
	return Logo{ClientID: id, Hash: hash}, err
}

func replaceLogo(ctx context.Context, tx *unit, id uuid.UUID, png []byte) error {
	if _, err := tx.ClientLogo.Delete().Where(clientlogo.ClientID(id)).Exec(ctx); err != nil {
		return err
	}
	return tx.ClientLogo.Create().SetClientID(id).SetPng(png).Exec(ctx)
}
