package oauthclient

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
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
	get, getLocked, state, digests, event, updateMany string

	rotate map[rotationConditions]string
}

// rotationConditions are what a rotation may ask for beside the client's id.
type rotationConditions struct{ application, version bool }

func newStatements(name string) statements {
	builder := entsql.Dialect(name)
	get := func(columns []string) *entsql.Selector { // anew each time: a predicate keeps the numbers of its placeholders
		return builder.Select(columns...).From(entsql.Table(oauthclient.Table)).Where(own())
	}
	event := builder.Insert(clientevent.Table).
		Columns(eventColumns()...).
		Values(placeholders(len(eventColumns()))...)
	all := statements{
		get:        text(get(oauthclient.Columns)),
		getLocked:  text(locked(get(oauthclient.Columns), name)),
		state:      text(get(stateColumns())),
		digests:    text(get(digestColumns)),
		event:      text(event),
		updateMany: updateManyText(),
		rotate:     make(map[rotationConditions]string),
	}
	for _, with := range []rotationConditions{{}, {application: true}, {version: true}, {application: true, version: true}} {
		all.rotate[with] = text(update(name, with))
	}
	return all
}

// text is a statement without its arguments, which were only placeholders.
func text(q entsql.Querier) string {
	text, _ := q.Query()
	return text
}

// placeholders are as many arguments as a statement has, of no value.
func placeholders(n int) []any {
	return slices.Repeat([]any{""}, n)
}

// locked makes a SELECT keep its rows from other writers. SQLite has but one.
func locked(get *entsql.Selector, name string) *entsql.Selector {
	if name == dialect.SQLite {
		return get
	}
	return get.ForUpdate()
}

// own selects a client of the caller; its arguments are the id and the
// organisation.
func own() *entsql.Predicate {
	return entsql.And(entsql.EQ(oauthclient.FieldID, uuid.UUID{}), entsql.EQ(oauthclient.FieldOrganisation, ""))
}

// update is the conditional UPDATE … RETURNING of a confidential client. The
// secret it has becomes the previous one, or is gone.
func update(name string, with rotationConditions) entsql.Querier {
	conditions := []*entsql.Predicate{own(), entsql.IsTrue(oauthclient.FieldHasSecret)}
	if with.application {
		conditions = append(conditions, entsql.EQ(oauthclient.FieldApplicationID, ""))
	}
	if with.version {
		conditions = append(conditions, entsql.EQ(oauthclient.FieldSecretVersion, 0))
	}
	return entsql.Dialect(name).Update(oauthclient.Table).
		SetNull(oauthclient.FieldPreviousSecretLastUsedAt).
		Set(oauthclient.FieldSecretDigest, []byte{}).
		Set(oauthclient.FieldSecretSealed, []byte{}).
		Set(oauthclient.FieldSecretCreatedAt, time.Time{}).
		Set(oauthclient.FieldUpdatedAt, time.Time{}).
		Set(oauthclient.FieldPreviousSecretDigest, entsql.ExprFunc(digestIf)).
		Set(oauthclient.FieldPreviousSecretExpiresAt, &time.Time{}).
		Set(oauthclient.FieldSecretVersion, entsql.Raw("secret_version + 1")).
		Set(oauthclient.FieldRevision, entsql.Raw("revision + 1")).
		Where(entsql.And(conditions...)).
		Returning(oauthclient.Columns...)
}

// digestIf is the digest the row has before the UPDATE, or null.
func digestIf(b *entsql.Builder) {
	b.WriteString("CASE WHEN ").Arg(true).WriteString(" THEN secret_digest END")
}

// getRow returns one client as the caller may see it, or a NotFoundError.
func (s *Store) getRow(ctx context.Context, q querier, caller Caller, id uuid.UUID) (*Client, error) {
	return scan(q.QueryContext(ctx, s.statements.get, id, caller.Organisation))
}

// getRowLocked is getRow for a transaction that is going to change the row by
// what it reads.
func (s *Store) getRowLocked(ctx context.Context, tx *ent.Tx, caller Caller, id uuid.UUID) (*Client, error) {
	return scan(tx.QueryContext(ctx, s.statements.getLocked, id, caller.Organisation))
}

// replaceSecret sends the UPDATE of a rotation: never read, then write. It
// returns a NotFoundError if the caller sees no such client, or one that does
// not meet the conditions.
func (s *Store) replaceSecret(ctx context.Context, tx *ent.Tx, caller Caller, in RotateInput, made issued) (*Client, error) {
	now := s.now()
	with := rotationConditions{application: in.ApplicationID != "", version: in.ExpectedVersion != 0}
	args := []any{
		made.digest, made.sealed, now, now,
		in.Overlap > 0, in.previousUntil(now),
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

// scanOwn reads columns of one client as the caller may see it, and reports
// whether there is such a client.
func (s *Store) scanOwn(ctx context.Context, query string, caller Caller, id uuid.UUID, into ...any) (found bool, err error) {
	rows, err := s.read.QueryContext(ctx, query, id, caller.Organisation)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(into...)
}

func scan(rows *sql.Rows, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	return ent.ScanOAuthClient(rows)
}
