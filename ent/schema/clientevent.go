package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// ClientEvent holds the committed changes of clients, the answers that carried a
// secret, the secrets that were refused, and the access tokens that an operator has
// minted. The row of a change is written in its transaction. No row is ever changed.
type ClientEvent struct {
	ent.Schema
}

// Fields returns the columns.
func (ClientEvent) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable(),
		field.UUID("client_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("unset: the event is about no client"),
		field.String("organisation").Immutable(),
		field.Enum("kind").Immutable().Values(
			"created", "updated", "deleted", "logo_uploaded", "secret_rotated", "secret_read",
			"previous_secret_revoked", "verification_failures", "ended_secret_presented", "token_minted"),
		field.Time("at").Immutable(),
		field.Int64("secret_version").Immutable().Comment("the version of the secret after the change, or the one that was presented"),
		field.Bool("secret_released").Immutable().Comment("whether the answer carried the secret"),
		field.String("actor_issuer").Immutable(),
		field.String("actor_subject").Immutable(),
		field.String("actor_client_id").Immutable().Comment("empty: the token names no client"),
		field.String("actor_organisation").Immutable(),
		field.String("request_id").Immutable(),
		field.String("address").Immutable().Comment("where the call came from"),
		field.String("api").Immutable().Comment("the API that the call used"),
		field.String("reason").Default("").Immutable().Comment("the reason that the caller gave; empty: none"),
		field.Bytes("secret_lookup").Optional().Immutable().Comment("finds the event that issued a secret, whichever client it is of"),
		field.Bool("secret_refused").Default(false).Immutable().Comment("whether a secret was refused; their number is bounded"),
	}
}

// Indexes returns the indexes for the history of one client, for the client of a
// secret, and for the number of refused secrets. The rows of most events are in the
// first only.
func (ClientEvent) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("client_id", "id"),
		index.Fields("secret_lookup").Annotations(entsql.IndexWhere("secret_lookup IS NOT NULL")),
		index.Fields("organisation", "at").Annotations(entsql.IndexWhere("secret_refused")),
	}
}
