package oauthclient

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
)

// RotateInput names the client whose secret is rotated.
type RotateInput struct {
	// ClientID is the client.
	ClientID uuid.UUID
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
		if record.Client, err = s.replaceSecret(ctx, tx, caller, in.ClientID, made); err != nil {
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

// replaceSecret is the conditional UPDATE … RETURNING: never read, then write.
func (s *Store) replaceSecret(ctx context.Context, tx *ent.Tx, caller Caller, id uuid.UUID, made issued) (*Client, error) {
	now := s.now()
	query, args := entsql.Dialect(dialect.SQLite).
		Update(oauthclient.Table).
		Set(oauthclient.FieldSecretDigest, made.digest).
		Set(oauthclient.FieldSecretSealed, made.sealed).
		Set(oauthclient.FieldSecretCreatedAt, now).
		Set(oauthclient.FieldUpdatedAt, now).
		Add(oauthclient.FieldSecretVersion, 1).
		Add(oauthclient.FieldRevision, 1).
		SetNull(oauthclient.FieldPreviousSecretDigest).
		SetNull(oauthclient.FieldPreviousSecretExpiresAt).
		Where(entsql.And(
			entsql.EQ(oauthclient.FieldID, id),
			entsql.EQ(oauthclient.FieldOrganisation, caller.Organisation),
			entsql.EQ(oauthclient.FieldHasSecret, true),
		)).
		Returning(oauthclient.Columns...).
		Query()
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	row, err := ent.ScanOAuthClient(rows)
	if ent.IsNotFound(err) {
		return nil, whyNotRotated(ctx, tx, caller, id)
	}
	return row, err
}

// whyNotRotated tells a public client from one that is not there.
func whyNotRotated(ctx context.Context, tx *ent.Tx, caller Caller, id uuid.UUID) error {
	exists, err := tx.OAuthClient.Query().Where(visible(caller, id)).Exist(ctx)
	switch {
	case err != nil:
		return err
	case exists:
		return ErrPublicClient
	default:
		return ErrNotFound
	}
}
