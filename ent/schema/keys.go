package schema

import (
	"time"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
)

// SigningKey holds the keys of the built-in issuer.
type SigningKey struct {
	ent.Schema
}

// Fields returns the columns.
func (SigningKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").Immutable().NotEmpty().Comment("the kid of the key"),
		field.String("issuer").Immutable().Comment("the iss of the tokens that the key signs"),
		field.Bytes("private_sealed").Sensitive().Comment("the private key in PKCS #8, sealed by the keyset"),
		field.Bytes("public").Immutable().Comment("the public key in PKIX"),
		field.Time("created_at").Default(time.Now).Immutable(),
		field.Time("tokens_until").Optional().Nillable().Comment("when the last token that the key signed expires; unset: it signed none"),
	}
}

// KeysetCheck holds one row. At start it shows whether the keyset is the one that
// this database was created with.
type KeysetCheck struct {
	ent.Schema
}

// Fields returns the columns.
func (KeysetCheck) Fields() []ent.Field {
	return []ent.Field{
		field.Int("id").Immutable(),
		field.Bytes("sealed").Sensitive().Comment("a known text, sealed by the keyset"),
	}
}

// KeysetKey holds the ids of the keys of the keyset that have sealed something in
// this database. A server stores the id before it seals with the key, so that a
// start without the key can be refused.
type KeysetKey struct {
	ent.Schema
}

// Fields returns the columns.
func (KeysetKey) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable().Annotations(entsql.Annotation{Incremental: new(bool)}).
			Comment("the id of the key in the keyset, 32 bits"),
	}
}
