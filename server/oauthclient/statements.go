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
	get, digests string
	rotate       map[rotationConditions]string
}

// rotationConditions are what a rotation may ask for beside the client's id.
type rotationConditions struct{ application, version bool }

func newStatements() statements {
	builder := entsql.Dialect(dialect.SQLite)
	get, _ := builder.Select(oauthclient.Columns...).
		From(entsql.Table(oauthclient.Table)).
		Where(own()).
		Query()
	digests, _ := builder.Select(digestColumns...).
		From(entsql.Table(oauthclient.Table)).
		Where(own()).
		Query()
	rotate := make(map[rotationConditions]string)
	for _, with := range []rotationConditions{{}, {application: true}, {version: true}, {application: true, version: true}} {
		rotate[with] = rotation(with)
	}
	return statements{get: get, digests: digests, rotate: rotate}
}

// own selects a client of the caller; its arguments are the id and the
// organisation.
func own() *entsql.Predicate {
	return entsql.And(entsql.EQ(oauthclient.FieldID, uuid.UUID{}), entsql.EQ(oauthclient.FieldOrganisation, ""))
}

// rotation is the conditional UPDATE … RETURNING of a confidential client. The
// secret it has becomes the previous one, or is gone.
func rotation(with rotationConditions) string {
	conditions := []*entsql.Predicate{own(), entsql.IsTrue(oauthclient.FieldHasSecret)}
	if with.application {
		conditions = append(conditions, entsql.EQ(oauthclient.FieldApplicationID, ""))
	}
	if with.version {
		conditions = append(conditions, entsql.EQ(oauthclient.FieldSecretVersion, 0))
	}
	text, _ := entsql.Dialect(dialect.SQLite).Update(oauthclient.Table).
		SetNull(oauthclient.FieldPreviousSecretLastUsedAt).
		Set(oauthclient.FieldSecretDigest, []byte{}).
		Set(oauthclient.FieldSecretSealed, []byte{}).
		Set(oauthclient.FieldSecretCreatedAt, time.Time{}).
		Set(oauthclient.FieldUpdatedAt, time.Time{}).
		Set(oauthclient.FieldPreviousSecretDigest, entsql.Expr("CASE WHEN ? THEN secret_digest END", true)).
		Set(oauthclient.FieldPreviousSecretExpiresAt, &time.Time{}).
		Set(oauthclient.FieldSecretVersion, entsql.Raw("secret_version + 1")).
		Set(oauthclient.FieldRevision, entsql.Raw("revision + 1")).
		Where(entsql.And(conditions...)).
		Returning(oauthclient.Columns...).
		Query()
	return text
}

// getRow returns one client as the caller may see it, or a NotFoundError.
func (s *Store) getRow(ctx context.Context, q querier, caller Caller, id uuid.UUID) (*Client, error) {
	return scan(q.QueryContext(ctx, s.statements.get, id, caller.Organisation))
}

// replaceSecret sends the UPDATE of a rotation: never read, then write. It
// returns a NotFoundError if the caller sees no such client, or one that does
// not meet the conditions.
func (s *Store) replaceSecret(ctx context.Context, tx *ent.Tx, caller Caller, in RotateInput, made issued) (*Client, error) {
	now := s.now()
	with := rotationConditions{application: in.ApplicationID != "", version: in.ExpectedVersion != 0}
	args := []any{
		made.digest, made.sealed, now, now,
		in.Overlap > 0,
		sql.NullTime{Time: now.Add(in.Overlap), Valid: in.Overlap > 0},
		in.ClientID, caller.Organisation,
	}
	if with.application {
		args = append(args, in.ApplicationID)
	}
	if with.version {
		args = append(args, in.ExpectedVersion)
	}
	return scan(tx.QueryContext(ctx, s.statements.rotate[with], args...))
}

func scan(rows *sql.Rows, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	return ent.ScanOAuthClient(rows)
}
