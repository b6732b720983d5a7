package command

import (
	"errors"
	"fmt"

	"clientsd/server/backup"
)

// errNotFile reports that the database is no file.
var errNotFile = errors.New("--database-url: this copies a file; back PostgreSQL up with pg_dump or by archiving its WAL, " +
	"and run clientsd rollback mark after a restore: see docs/postgresql.md")

// Backup copies the database, also while a server runs.
type Backup struct {
	dataFlags

	File string `arg:"" help:"New file. It must not exist."`
}

// Help returns the text of backup --help.
func (Backup) Help() string {
	return `Copies the database as it is at one moment. Servers may run meanwhile. FILE appears when the copy is complete and on disk; an interrupted backup leaves no FILE. Never replaces a file. Needs as much free space as the database takes.

A backup does not hold the keyset, so it reveals no secret. Keep a copy of the keyset in another place than the backups, and copy it again after each clientsd keyset rotate.

A backup carries a mark. A server refuses a restored backup until an operator accepts it: see clientsd restore --help.

Examples:

    clientsd backup clientsd-2026-11-21.db --data-dir ./clientsd-data
    clientsd backup "/backups/clientsd-$(date +%F-%H%M).db"`
}

// Run copies the database, and prints where its keyset is.
func (c Backup) Run(env *Environment) error {
	config := c.storage(false)
	if config.Postgres.URL != "" {
		return errNotFile
	}
	if err := config.Exists(); err != nil {
		return err
	}
	created, err := backup.Make(env.Context, config.DatabasePath(), c.File, newProgress(env))
	if err != nil {
		return err
	}
	keyset := config.KeysetPath()
	if keyset == "" {
		keyset = "CLIENTSD_KEYSET"
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s, %s, %d clients with a secret\nits keyset is not in it: keep a copy of %s, and keep the two apart\n",
		c.File, created.Mark, megabytes(created.Bytes), created.Clients, keyset)
	return err
}
