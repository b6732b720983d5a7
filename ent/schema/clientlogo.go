package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"github.com/google/uuid"
)

// ClientLogo holds the images of clients, as they are served.
type ClientLogo struct {
	ent.Schema
}

// Fields returns the columns.
func (ClientLogo) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("client_id", uuid.UUID{}).Immutable(),
		field.Bytes("png").Comment("encoded by the server, never the uploaded bytes"),
	}
}

// Edges returns the reference to the client.
func (ClientLogo) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("client", OAuthClient.Type).Ref("logo").Field("client_id").Unique().Required().Immutable(),
	}
}
