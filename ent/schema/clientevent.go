package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// ClientEvent holds the committed changes of clients, and the answers that carried
// a secret. A row is written in the transaction of the change, and never changed.
type ClientEvent struct {
	ent.Schema
}

// Fields returns the columns.
func (ClientEvent) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable(),
		field.UUID("client_id", uuid.UUID{}).Immutable(),
		field.String("organisation").Immutable(),
		field.Enum("kind").Immutable().Values(
			"created", "updated", "deleted", "logo_uploaded", "secret_rotated", "secret_read",
			"previous_secret_revoked"),
		field.Time("at").Immutable(),
		field.Int64("secret_version").Immutable().Comment("the version of the secret after the change"),
		field.Bool("secret_released").Immutable().Comment("whether the answer carried the secret"),
		field.String("actor_issuer").Immutable(),
		field.String("actor_subject").Immutable(),
		field.String("actor_client_id").Immutable().Comment("empty: the token names no client"),
		field.String("actor_organisation").Immutable(),
		field.String("request_id").Immutable(),
		field.String("address").Immutable().Comment("where the call came from"),
		field.String("api").Immutable().Comment("the API that the call used"),
		field.String("reason").Default("").Immutable().Comment("the reason that the caller gave; empty: none"),
	}
}

// Indexes returns the index for the history of one client.
func (ClientEvent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("client_id", "id")}
}
