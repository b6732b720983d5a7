package command

import (
	"fmt"
	"time"

	"clientsd/server/database"
	"clientsd/server/storage"
)

// RollbackMark marks a database that was restored without clientsd restore.
type RollbackMark struct {
	dataFlags

	TakenAt time.Time `placeholder:"TIME" help:"When the backup was taken, or to which time PostgreSQL was recovered, such as 2026-11-21T20:34:38Z. Default: unknown."`
}

// Help returns the text of rollback mark --help.
func (RollbackMark) Help() string {
	return `Marks a database as restored. No server serves it until one is started with --accept-rollback.

A backup of clientsd backup carries its mark already. Mark a database that came back in another way: PostgreSQL after pg_restore or a recovery to a point in time, or a file from a snapshot of its disk.

A server reads the mark only when it starts: stop all servers before the restore.

Examples:

    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd \
      clientsd rollback mark --taken-at 2026-11-21T20:34:38Z
    clientsd rollback mark --data-dir ./clientsd-data`
}

// Run marks the database. A mark that exists stays.
func (c RollbackMark) Run(env *Environment) error {
	return c.withDatabase(env, func(db *database.DB) error {
		if err := storage.MarkRestored(env.Context, db.Transact, c.TakenAt); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, "%s is marked as restored: see %s\n", db.Name(), c.command(env, "rollback", "list"))
		return err
	})
}
