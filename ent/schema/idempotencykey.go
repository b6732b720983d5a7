package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// IdempotencyKey records which secret a call created, so that a repeated call gets
// the same answer. A row is written in the transaction of the call. It holds
// neither the key nor the secret.
type IdempotencyKey struct {
	ent.Schema
}

// Fields returns the columns.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.Bytes("key").Immutable().Unique().Comment("SHA-256 of the caller and the key"),
		field.Bytes("request").Immutable().Comment("SHA-256 of the request"),
		field.UUID("client_id", uuid.UUID{}).Immutable(),
		field.Int64("secret_version").Immutable().Comment("the version of the secret that the call created"),
		field.Time("created_at").Immutable(),
	}
}

// Indexes returns the index for the removal of old rows.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("created_at")}
}
