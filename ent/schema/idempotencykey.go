package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// IdempotencyKey remembers which secret a call has made, so that the same call
// can be answered again. It is written in the transaction of the call, and
// holds neither the key nor the secret.
type IdempotencyKey struct {
	ent.Schema
}

// Fields of the IdempotencyKey.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.Bytes("key").Immutable().Unique().Comment("SHA-256 of caller and key"),
		field.Bytes("request").Immutable().Comment("SHA-256 of the request"),
		field.UUID("client_id", uuid.UUID{}).Immutable(),
		field.Int64("secret_version").Immutable().Comment("the version the call has made"),
		field.Time("created_at").Immutable(),
	}
}

// Indexes of the IdempotencyKey serve the removal of those that are too old.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("created_at")}
}
