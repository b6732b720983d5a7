// Package migrations carries the SQL migrations, one folder a dialect, in the
// binary. They are planned by plan/ and applied by server/database.
package migrations

import "embed"

// Files holds the folders sqlite and postgres.
//
//go:embed sqlite/*.sql postgres/*.sql
var Files embed.FS
