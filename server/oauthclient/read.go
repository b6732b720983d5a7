package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/clientlogo"
	"clientsd/ent/oauthclient"
	"clientsd/ent/predicate"
)

// visible selects one client as the caller may see it: not at all if it
// belongs to another organisation.
func visible(caller Caller, id uuid.UUID) predicate.OAuthClient {
	return oauthclient.And(oauthclient.ID(id), oauthclient.Organisation(caller.Organisation))
}

// Get returns a client without its secret.
//
// Errors: ErrNotFound.
func (s *Store) Get(ctx context.Context, caller Caller, id uuid.UUID) (Record, error) {
	row, err := s.getRow(ctx, s.read, caller, id)
	if err != nil {
		return Record{}, s.toError("get client", err)
	}
	return Record{Client: row}, nil
}

// GetWithSecret returns a client with its current secret, if it has one. The
// release is on record before the secret leaves here.
//
// Errors: ErrNotFound; ErrDamagedSecret.
func (s *Store) GetWithSecret(ctx context.Context, caller Caller, id uuid.UUID) (Record, error) {
	record := Record{}
	err := s.inTx(ctx, "get client with secret", func(tx *ent.Tx) (err error) {
		record.Client, err = s.getRow(ctx, tx, caller, id)
		if err != nil || !record.HasSecret {
			return err
		}
		if record.Secret, err = s.open(record.Client); err != nil {
			return err
		}
		return s.record(ctx, tx, caller, record.Client, event{kind: clientevent.KindSecretRead, released: true})
	})
	if err != nil {
		return Record{}, err
	}
	return record, nil
}

// Public returns those of the named clients that exist, of any organisation.
func (s *Store) Public(ctx context.Context, ids []uuid.UUID) ([]*Client, error) {
	rows, err := s.read.OAuthClient.Query().Where(oauthclient.IDIn(ids...)).All(ctx)
	return rows, s.toError("get public clients", err)
}

// Logo returns the image a logo URL names.
//
// Errors: ErrNotFound, also when the client has another logo by now.
func (s *Store) Logo(ctx context.Context, logo Logo) ([]byte, error) {
	row, err := s.read.ClientLogo.Query().
		Where(
			clientlogo.ClientID(logo.ClientID),
			clientlogo.HasClientWith(oauthclient.LogoHash(logo.Hash)),
		).
		Only(ctx)
	if err != nil {
		return nil, s.toError("get logo", err)
	}
	return row.Png, nil
}
