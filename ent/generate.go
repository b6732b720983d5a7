// Package ent is the generated data layer. schema/ is written by hand, and
// migrations/ is planned from it; everything else is overwritten.
package ent

//go:generate go tool ent generate --feature sql/execquery,sql/versioned-migration --template ./template --target . ./schema
//go:generate go run ./migrations/plan
