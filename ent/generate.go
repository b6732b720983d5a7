// Package ent owns access to the tables, and knows nothing of what they mean. It is
// generated from schema/, which is written by hand. migrations/ is planned from
// schema/. All other files here are overwritten.
package ent

//go:generate go tool ent generate --feature sql/execquery,sql/versioned-migration --template ./template --target . ./schema
//go:generate go run ./migrations/plan
