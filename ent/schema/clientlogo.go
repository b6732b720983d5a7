package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"github.com/google/uuid"
)

// ClientLogo is the image of a client, as it is served.
type ClientLogo struct {
	ent.Schema
}

// Fields of the ClientLogo.
func (ClientLogo) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("client_id", uuid.UUID{}).Immutable(),
		field.Bytes("png").Comment("our own encoding, never the bytes that were uploaded"),
	}
}

// Edges of the ClientLogo.
func (ClientLogo) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("client", OAuthClient.Type).Ref("logo").Field("client_id").Unique().Required().Immutable(),
	}
}
