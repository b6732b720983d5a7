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
	return `serve does the same on its own. Use this to see a migration succeed before the service is stopped for it. It refuses a database that a newer binary has migrated.

Example:

    clientsd migrate --data-dir ./clientsd-data`
}

// Run migrates, and makes nothing new.
func (c Migrate) Run(env *Environment) error {
	opened, err := storage.Open(env.Context, c.storage(false))
	if err != nil {
		return err
	}
	if err := opened.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %d migrations applied, the schema is up to date\n", opened.DatabaseFile, opened.Migrated)
	return err
}
