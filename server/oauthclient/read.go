package oauthclient

import (
	"context"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/clientlogo"
	"clientsd/ent/oauthclient"
	"clientsd/ent/predicate"
)

// visible selects one client, unless it belongs to another organisation than the
// caller acts in.
func visible(caller Caller, id uuid.UUID) predicate.OAuthClient {
	return oauthclient.And(oauthclient.ID(id), oauthclient.Organisation(caller.Organisation))
}

// locked keeps the selected row from other writers until the transaction ends.
// SQLite has one writer.
func locked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate()
	}
}

// Get returns a client without its secret.
//
// Errors: ErrNotFound.
func (s *Store) Get(ctx context.Context, caller Caller, id uuid.UUID) (Record, error) {
	row, err := s.read.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
	if err != nil {
		return Record{}, s.toError("get client", err)
	}
	return Record{Client: row}, nil
}

// GetWithSecret returns a client with its current secret, if it has one. The event
// of the release is committed before the secret leaves this package.
//
// Errors: ErrNotFound; ErrDamagedSecret; ErrKeyNotLoaded.
func (s *Store) GetWithSecret(ctx context.Context, caller Caller, id uuid.UUID) (Record, error) {
	record := Record{}
	err := s.inTx(ctx, "get client with secret", func(ctx context.Context, tx *unit) (err error) {
		record.Client, err = tx.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
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

// Public measures a list of those of the named clients that exist, of any
// organisation. It has one page.
func (s *Store) Public(ctx context.Context, ids []uuid.UUID) (*List, error) {
	l := &List{store: s, query: s.read.OAuthClient.Query().Where(oauthclient.IDIn(ids...)), rows: len(ids)}
	weights, err := l.weights(ctx)
	l.shorten(weights)
	return l, err
}

// Logo returns the image that a logo URL names.
//
// Errors: ErrNotFound, also when the client has another logo now.
func (s *Store) Logo(ctx context.Context, logo Logo) ([]byte, error) {
	row, err := s.logo(logo).Only(ctx)
	if err != nil {
		return nil, s.toError("get logo", err)
	}
	return row.Png, nil
}

// LogoSize returns the size of the image that a logo URL names, in bytes, without
// reading it.
//
// Errors: those of Logo.
func (s *Store) LogoSize(ctx context.Context, logo Logo) (int64, error) {
	size, err := s.logo(logo).Aggregate(func(from *sql.Selector) string {
		return "length(" + from.C(clientlogo.FieldPng) + ")"
	}).Int(ctx)
	return int64(size), s.toError("get size of logo", err)
}

func (s *Store) logo(logo Logo) *ent.ClientLogoQuery {
	return s.read.ClientLogo.Query().Where(
		clientlogo.ClientID(logo.ClientID),
		clientlogo.HasClientWith(oauthclient.LogoHash(logo.Hash)),
	)
}
