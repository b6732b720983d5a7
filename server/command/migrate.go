package command

import (
	"fmt"

	"clientsd/server/storage"
)

// Migrate brings the schema up to date without serving.
type Migrate struct {
	dataFlags
}

// Help returns the text of migrate --help.
func (Migrate) Help() string {
	return `Brings the schema of the database up to date. Refuses a database that a newer binary has migrated.

On SQLite, serve does the same when it starts. Run migrate to see that a migration succeeds. On PostgreSQL, run it before the servers of a new version start, or start them with serve --migrate. Several servers may migrate concurrently; one of them does the work.

Examples:

    clientsd migrate --data-dir ./clientsd-data
    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd \
      clientsd migrate --keyset keyset.json`
}

// Run migrates. It creates neither a database nor a keyset. In an empty PostgreSQL
// database it stores the keyset check.
func (c Migrate) Run(env *Environment) error {
	config := c.storage(false)
	config.Migrate, config.RestorePolicy = true, storage.IgnoreRestored
	opened, err := storage.Open(env.Context, config)
	if err != nil {
		return err
	}
	if err := opened.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %d migrations applied, the schema is up to date\n", opened.DB.Name(), opened.Migrated)
	return err
}
