package oauthclient

import (
	"context"
	"database/sql"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// querier is what a statement runs on: a transaction, or the client for reads.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// statements are the texts of what callers send all the time. They are built
// once, by ent's builder: to build them for each call costs as much as to run
// them.
type statements struct {
	get, digests, rotate string
	rotateOf             string // only if the named application owns the client
}

func newStatements() statements {
	builder := entsql.Dialect(dialect.SQLite)
	own := func() *entsql.Predicate {
		return entsql.And(entsql.EQ(oauthclient.FieldID, uuid.UUID{}), entsql.EQ(oauthclient.FieldOrganisation, ""))
	}
	get, _ := builder.Select(oauthclient.Columns...).
		From(entsql.Table(oauthclient.Table)).
		Where(own()).
		Query()
	digests, _ := builder.Select(oauthclient.FieldSecretDigest, oauthclient.FieldSecretVersion,
		oauthclient.FieldPreviousSecretDigest, oauthclient.FieldPreviousSecretExpiresAt).
		From(entsql.Table(oauthclient.Table)).
		Where(own()).
		Query()
	return statements{
		get:      get,
		digests:  digests,
		rotate:   rotation(own()),
		rotateOf: rotation(own(), entsql.EQ(oauthclient.FieldApplicationID, "")),
	}
}

// rotation is the conditional UPDATE … RETURNING of a confidential client.
func rotation(conditions ...*entsql.Predicate) string {
	text, _ := entsql.Dialect(dialect.SQLite).Update(oauthclient.Table).
		Set(oauthclient.FieldSecretDigest, []byte{}).
		Set(oauthclient.FieldSecretSealed, []byte{}).
		Set(oauthclient.FieldSecretCreatedAt, time.Time{}).
		Set(oauthclient.FieldUpdatedAt, time.Time{}).
		Set(oauthclient.FieldSecretVersion, entsql.Raw("secret_version + 1")).
		Set(oauthclient.FieldRevision, entsql.Raw("revision + 1")).
		SetNull(oauthclient.FieldPreviousSecretDigest).
		SetNull(oauthclient.FieldPreviousSecretExpiresAt).
		Where(entsql.And(append(conditions, entsql.IsTrue(oauthclient.FieldHasSecret))...)).
		Returning(oauthclient.Columns...).
		Query()
	return text
}

// getRow returns one client as the caller may see it, or a NotFoundError.
func (s *Store) getRow(ctx context.Context, q querier, caller Caller, id uuid.UUID) (*Client, error) {
	return scan(q.QueryContext(ctx, s.statements.get, id, caller.Organisation))
}

// replaceSecret is the conditional UPDATE … RETURNING of a rotation: never
// read, then write. It returns a NotFoundError if the caller sees no such
// client, or one without a secret.
func (s *Store) replaceSecret(ctx context.Context, tx *ent.Tx, caller Caller, in RotateInput, made issued) (*Client, error) {
	now := s.now()
	statement, args := s.statements.rotate, []any{made.digest, made.sealed, now, now, in.ClientID, caller.Organisation}
	if in.ApplicationID != "" {
		statement, args = s.statements.rotateOf, append(args, in.ApplicationID)
	}
	return scan(tx.QueryContext(ctx, statement, args...))
}

func scan(rows *sql.Rows, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	return ent.ScanOAuthClient(rows)
}
