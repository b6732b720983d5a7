package schema

import (
	"time"

	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// SigningKey is a key of the built-in issuer.
type SigningKey struct {
	ent.Schema
}

// Fields of the SigningKey.
func (SigningKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").Immutable().NotEmpty().Comment("the kid"),
		field.String("issuer").Immutable().Comment("the iss of the tokens it signs"),
		field.Bytes("private_sealed").Sensitive().Comment("PKCS #8, sealed by the keyset"),
		field.Bytes("public").Immutable().Comment("PKIX"),
		field.Time("created_at").Default(time.Now).Immutable(),
		field.Time("tokens_until").Optional().Nillable().Comment("no token it has signed expires later; unset: it has signed none"),
	}
}

// KeysetCheck is the one row that tells at start-up whether the keyset is the
// one this database was made with.
type KeysetCheck struct {
	ent.Schema
}

// Fields of the KeysetCheck.
func (KeysetCheck) Fields() []ent.Field {
	return []ent.Field{
		field.Int("id").Immutable(),
		field.Bytes("sealed").Sensitive().Comment("a known text, sealed by the keyset"),
	}
}
