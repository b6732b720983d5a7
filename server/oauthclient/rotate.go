package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
)

// RotateInput names the client whose secret is rotated.
type RotateInput struct {
	// ClientID is the client.
	ClientID uuid.UUID
	// ApplicationID is the application that owns the client: with another one
	// the client does not exist. Empty: whichever does.
	ApplicationID string
	// Release says whether the record is to carry the new secret.
	Release bool
}

// Rotate gives a confidential client a new secret and makes the old one
// invalid, both in the one statement that commits. Each call makes one new
// version, whatever else runs beside it.
//
// Errors: ErrNotFound; ErrPublicClient, and nothing has changed.
func (s *Store) Rotate(ctx context.Context, caller Caller, in RotateInput) (Record, error) {
	// Made before the transaction begins: other writers wait for that one.
	made, err := s.newSecret(in.ClientID)
	if err != nil {
		return Record{}, err
	}
	record := Record{}
	err = s.inTx(ctx, "rotate secret", func(tx *ent.Tx) (err error) {
		record.Client, err = s.replaceSecret(ctx, tx, caller, in, made)
		switch {
		case ent.IsNotFound(err):
			return whyNotRotated(ctx, tx, caller, in)
		case err != nil:
			return err
		}
		return s.record(ctx, tx, caller, record.Client, event{kind: clientevent.KindSecretRotated, released: in.Release})
	})
	if err != nil {
		return Record{}, err
	}
	if in.Release {
		record.Secret = made.plain
	}
	return record, nil
}

// whyNotRotated tells a public client from one that is not there.
func whyNotRotated(ctx context.Context, tx *ent.Tx, caller Caller, in RotateInput) error {
	query := tx.OAuthClient.Query().Where(visible(caller, in.ClientID))
	if in.ApplicationID != "" {
		query.Where(oauthclient.ApplicationID(in.ApplicationID))
	}
	exists, err := query.Exist(ctx)
	switch {
	case err != nil:
		return err
	case exists:
		return ErrPublicClient
	default:
		return ErrNotFound
	}
}
