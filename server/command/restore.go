package command

import (
	"errors"
	"fmt"

	"clientsd/server/backup"
	"clientsd/server/storage"
)

// Restore puts a backup in the place of a database that is gone.
type Restore struct {
	dataFlags

	File string `arg:"" help:"A backup, made by clientsd backup or by other means."`
}

// Help is shown by restore --help.
func (Restore) Help() string {
	return `Puts a backup in the place of a database that is gone, after it has seen that the backup is whole and fits the keyset, which has to be in its place first. A database that is there already is never replaced: stop its server and move it away, together with its -wal and -shm files.

A restored database is back at the time of its backup: secrets that were rotated since, perhaps because they leaked, would be valid again. It knows that, and no server serves it until an operator has accepted it. Look first at the clients it concerns; you may still have the database that the backup replaces, to compare with. Then start the server once with --accept-rollback, and rotate what has to be rotated:

    clientsd rollback list
    clientsd serve --accept-rollback

Accepting ends every overlap of two secrets, and makes the versions of secrets jump by a million, so that no version means two secrets; it is in the events of every client. Repeated calls under an idempotency key from before are answered SUPERSEDED.

Example:

    cp -p /another/place/keyset.json ./clientsd-data/
    clientsd restore /backups/clientsd-2026-11-21.db --data-dir ./clientsd-data`
}

// Run restores and says what to do next.
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
	made, err := backup.Restore(env.Context, c.File, config.DatabasePath(), keyset, newProgress(env))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: restored from %s\n"+
		"secrets that were rotated since would be valid again, of up to %d clients; see them, then accept it once:\n\n"+
		"    %s\n    %s --accept-rollback\n",
		config.DatabasePath(), made.Mark, made.Clients, c.command("rollback", "list"), c.command("serve"))
	return err
}
