package command

import (
	"errors"
	"fmt"

	"clientsd/server/backup"
	"clientsd/server/storage"
)

// Restore restores a backup in the place of a lost database.
type Restore struct {
	dataFlags

	File string `arg:"" help:"Backup, of clientsd backup or another tool."`
}

// Help returns the text of restore --help.
func (Restore) Help() string {
	return `Restores a backup in the place of a lost database. Put the keyset in its place first. Checks that the backup is complete and fits the keyset. Never replaces a database: stop its server, and move the database away with its -wal and -shm files.

Example:

    cp -p /another/place/keyset.json ./clientsd-data/
    clientsd restore /backups/clientsd-2026-11-21.db --data-dir ./clientsd-data

A restored database is back at the time of its backup. Secrets that were rotated since, perhaps because they leaked, would be valid again. So no server serves the database until an operator accepts it. List the clients first, and compare them with the old database if you still have it. Then start the server once with --accept-rollback, and rotate the secrets that need it:

    clientsd rollback list
    clientsd serve --accept-rollback

Accepting ends the overlap of each previous secret, and adds 1,000,000 to the version of each secret, so that no version names two secrets. Each client gets an event. A repeated call with an idempotency key from before the restore is answered SUPERSEDED.`
}

// Run restores the backup, and prints the next steps.
func (c Restore) Run(env *Environment) error {
	config := c.storage(false)
	if config.Postgres.URL != "" {
		return errNotFile
	}
	keyset, err := storage.LoadKeyset(config)
	if errors.Is(err, storage.ErrKeysetMissing) {
		return fmt.Errorf("restore %s: the keyset is not in a backup: put it at %s first, or name it with --keyset", c.File, config.KeysetPath())
	} else if err != nil {
		return err
	}
	created, err := backup.Restore(env.Context, c.File, config.DatabasePath(), keyset, newProgress(env))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: restored from %s\n"+
		"secrets that were rotated since would be valid again, of up to %d clients; see them, then accept it once:\n\n"+
		"    %s\n    %s --accept-rollback\n",
		config.DatabasePath(), created.Mark, created.Clients, c.command(env, "rollback", "list"), c.command(env, "serve"))
	return err
}
