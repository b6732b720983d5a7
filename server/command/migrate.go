package command

import (
	"fmt"

	"clientsd/server/storage"
)

// Migrate brings the schema up to date without serving.
type Migrate struct {
	dataFlags
}

// Help is shown by migrate --help.
func (Migrate) Help() string {
	return `On a file serve does the same on its own; use this to see a migration succeed before the service is stopped for it. On PostgreSQL run it before the servers of a new version start, or start them with serve --migrate; several may start it concurrently, one of them does it. It refuses a database that a newer binary has migrated.

Examples:

    clientsd migrate --data-dir ./clientsd-data
    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd clientsd migrate --keyset keyset.json`
}

// Run migrates. It makes no database and no keyset, but stores in an empty
// PostgreSQL database which keyset belongs to it.
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
