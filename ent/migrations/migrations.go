// Package migrations owns the SQL migrations, one folder for each dialect, and puts
// them into the binary. plan/ writes them, and server/database applies them.
package migrations

import "embed"

// Files holds the folders sqlite and postgres.
//
//go:embed sqlite/*.sql postgres/*.sql
var Files embed.FS
