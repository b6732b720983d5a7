// Package schema owns the tables: their columns, indexes and references. It is
// written by hand, and the rest of ent/ is generated from it. It must not know what
// the rows mean: the packages of the server do.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Binding is one enabled API of a client, as the column application_bindings
// stores it.
type Binding struct {
	// ApplicationID names the application that offers the API. Never empty.
	ApplicationID string `json:"application_id"`
	// HasConfig distinguishes an absent configuration from one without settings.
	HasConfig bool `json:"has_config,omitempty"`
	// JSONConfig is a JSON object. Nil: the configuration has no settings.
	JSONConfig map[string]any `json:"json_config,omitzero"`
}

// OAuthClient holds the registered clients, each with its current secret. The
// secret is in this row so that a rotation is one conditional UPDATE. ent reserves
// the name Client.
type OAuthClient struct {
	ent.Schema
}

// Fields returns the columns.
func (OAuthClient) Fields() []ent.Field {
	return append(contractFields(), secretFields()...)
}

// contractFields returns the columns that the wire contract shows, and id,
// organisation and revision.
func contractFields() []ent.Field {
	return []ent.Field{
		field.UUID("id", uuid.UUID{}).Immutable(),
		field.String("organisation").Immutable().NotEmpty(),
		field.Int64("revision").Default(1).Comment("the number of changes of the client; the creation counts"),
		field.Time("created_at").Immutable(),
		field.Time("updated_at"),
		field.String("name"),
		field.String("redirect_uri"),
		field.String("website_url"),
		field.String("description"),
		field.Bool("supports_refresh_token"),
		field.Bool("supports_implicit_grant"),
		field.Bool("supports_device_code_grant"),
		field.Bool("supports_code_grant"),
		field.Bool("uses_managed_buckets").Immutable(),
		field.String("application_id").Optional().Nillable().Immutable(),
		field.JSON("application_bindings", []Binding{}),
		field.JSON("allowed_delegators", []string{}),
		field.String("backchannel_logout_uri").Optional().Nillable(),
		field.Bool("backchannel_logout_session_required"),
		field.String("frontchannel_logout_uri").Optional().Nillable(),
		field.Bool("frontchannel_logout_session_required"),
		field.JSON("post_logout_redirect_uris", []string{}),
		field.Bool("is_verified"),
		field.String("logo_hash").Optional().Nillable().Comment("the name of the logo in its URL; unset: no logo"),
	}
}

// secretFields returns the columns of the secret. All are unset for a public client.
func secretFields() []ent.Field {
	return []ent.Field{
		field.Bool("has_secret").Immutable(),
		field.Bytes("secret_digest").Optional().Sensitive(),
		field.Bytes("secret_sealed").Optional().Sensitive(),
		field.Int64("secret_version").Default(0).Comment("1 at creation, one more for each rotation; 0: no secret"),
		field.Time("secret_created_at").Optional().Nillable(),
		field.Bytes("previous_secret_digest").Optional().Sensitive(),
		field.Time("previous_secret_expires_at").Optional().Nillable(),
		field.Time("previous_secret_last_used_at").Optional().Nillable().Comment("to the minute"),
		field.Bytes("ended_digest").Optional().Sensitive().Comment("of the secret that was replaced or revoked last; it is never valid"),
		field.Int64("ended_version").Optional().Nillable(),
		field.Time("ended_at").Optional().Nillable(),
		field.Time("ended_presented_at").Optional().Nillable().Comment("when the last event about a presented ended secret was due"),
		field.Time("verification_failed_at").Optional().Nillable().Comment("when the last event about wrong secrets was due"),
	}
}

// Edges returns the reference to the logo. Events have none: they stay after the
// client is deleted.
func (OAuthClient) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("logo", ClientLogo.Type).Unique().Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes returns the indexes for ListClients: by organisation, with and without
// the application, in the order of creation.
func (OAuthClient) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organisation", "created_at", "id"),
		index.Fields("organisation", "application_id", "created_at", "id"),
	}
}
