package command

import (
	"errors"
	"fmt"

	"clientsd/server/backup"
)

// errNotFile refuses to copy what is no file.
var errNotFile = errors.New("--database-url: this copies a file; back PostgreSQL up with pg_dump or by archiving its WAL, " +
	"and say clientsd rollback mark after a restore: docs/postgresql.md says how")

// Backup copies the database, also beside a running server.
type Backup struct {
	dataFlags

	File string `arg:"" help:"The new file. It must not be there yet."`
}

// Help is shown by backup --help.
func (Backup) Help() string {
	return `Copies the database as it is at this moment; a running server goes on meanwhile. FILE appears once the copy is whole and on disk, and never replaces another file: whatever breaks the backup off leaves no FILE. Needs as much room again as the database has.

The keyset is not in it: a backup alone gives no secret away. Keep a copy of the keyset, in another place than the backups; clientsd keyset rotate makes a new copy necessary.

A backup that is put back, by clientsd restore or in any other way, knows that it is one: see clientsd restore --help.

Examples:

    clientsd backup clientsd-2026-11-21.db --data-dir ./clientsd-data
    clientsd backup "/backups/clientsd-$(date +%F-%H%M).db"`
}

// Run makes the copy and says where its keyset is.
func (c Backup) Run(env *Environment) error {
	config := c.storage(false)
	if config.Postgres.URL != "" {
		return errNotFile
	}
	if err := config.Exists(); err != nil {
		return err
	}
	made, err := backup.Make(env.Context, config.DatabasePath(), c.File, newProgress(env))
	if err != nil {
		return err
	}
	keyset := config.KeysetPath()
	if keyset == "" {
		keyset = "CLIENTSD_KEYSET"
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s, %s, %d clients with a secret\nits keyset is not in it: keep a copy of %s, and keep the two apart\n",
		c.File, made.Mark, megabytes(made.Bytes), made.Clients, keyset)
	return err
}
