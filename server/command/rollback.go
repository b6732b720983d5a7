package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"clientsd/server/database"
	"clientsd/server/storage"
)

// listPage is how many clients a query of rollback list reads.
const listPage = 500

// Rollback is the group of commands about a database that was restored.
type Rollback struct {
	List RollbackList `cmd:"" help:"List the clients whose secret may have been rotated since the backup."`
	Mark RollbackMark `cmd:"" help:"Say that the database was restored, where it does not know."`
}

// RollbackList lists what a restored database may have brought back.
type RollbackList struct{ dataFlags }

// Help is shown by rollback list --help.
func (RollbackList) Help() string {
	return `Lists the clients of a restored database whose secret may have been rotated since the backup: all that have one, because nobody can know. Changes nothing and needs no keyset. Compare with what you know of the time since, then start the server once with --accept-rollback.

Example:

    clientsd rollback list --data-dir ./clientsd-data`
}

// Run prints the mark to standard error and the clients to standard output.
func (c RollbackList) Run(env *Environment) error {
	return c.withDatabase(env, func(db *database.DB) error {
		var restored *storage.RestoredError
		err := storage.CheckRestored(env.Context, db.Read, db.Dialect())
		switch {
		case err == nil:
			_, err = fmt.Fprintf(env.Stderr, "%s was not restored from a backup, or that was accepted\n", db.Name())
			return err
		case !errors.As(err, &restored):
			return err
		}
		_, _ = fmt.Fprintf(env.Stderr, "%s was restored from %s; the secret of %d clients may have been rotated since:\n",
			db.Name(), restored.Mark, restored.Clients) // the list is what counts
		if err := printHeader(env.Stdout); err != nil {
			return err
		}
		for page, err := range storage.RestoredClients(env.Context, db.Read, listPage) {
			if err != nil {
				return err
			}
			for _, client := range page {
				if err := printClient(env.Stdout, client); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// RollbackMark marks a database that came back by other means than clientsd
// restore.
type RollbackMark struct {
	dataFlags

	TakenAt time.Time `placeholder:"TIME" help:"When the backup was made, or to which time PostgreSQL was recovered, such as 2026-11-21T20:34:38Z. Default: not known."`
}

// Help is shown by rollback mark --help.
func (RollbackMark) Help() string {
	return `Says of a database that it was restored, so that no server serves it until one is started with --accept-rollback. A backup of clientsd backup knows by itself. Others do not: PostgreSQL after pg_restore or a recovery to a point in time, or a file that came back with a snapshot of its disk. A server looks when it starts: stop every one before the restore.

Examples:

    CLIENTSD_DATABASE_URL=postgres://clientsd@db.example.com/clientsd clientsd rollback mark --taken-at 2026-11-21T20:34:38Z
    clientsd rollback mark --data-dir ./clientsd-data`
}

// Run marks the database. A mark that is there already stays.
func (c RollbackMark) Run(env *Environment) error {
	return c.withDatabase(env, func(db *database.DB) error {
		if err := storage.MarkRestored(env.Context, db.Transact, c.TakenAt); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, "%s is marked as restored: see %s\n", db.Name(), c.command("rollback", "list"))
		return err
	})
}

// withDatabase opens the database as it is, and closes it.
func (f dataFlags) withDatabase(env *Environment, body func(*database.DB) error) (err error) {
	opened, err := storage.OpenDatabase(env.Context, f.storage(false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return body(opened)
}

// showRestored tells, of a database that is refused because it was restored,
// which clients that concerns.
func (f dataFlags) showRestored(env *Environment, err error) {
	var restored *storage.RestoredError
	if !errors.As(err, &restored) {
		return
	}
	_ = printHeader(env.Stderr) // the error that follows is what counts
	for _, client := range restored.First {
		_ = printClient(env.Stderr, client) // as above
	}
	if more := restored.Clients - len(restored.First); more > 0 {
		_, _ = fmt.Fprintf(env.Stderr, "and %d more: %s\n", more, f.command("rollback", "list")) // as above
	}
}

// announceRestored puts on record that a rollback was accepted.
func announceRestored(ctx context.Context, log *slog.Logger, restored *storage.RestoredError, accept bool) {
	switch {
	case restored != nil:
		log.WarnContext(ctx, "accepted a database that was restored: secrets from before its backup may be valid again",
			"backup", restored.Mark.String(), "clients", restored.Clients)
	case accept:
		log.WarnContext(ctx, "--accept-rollback: there is nothing to accept; leave it out, or the next restore is accepted unseen")
	}
}

func printHeader(w io.Writer) error {
	_, err := fmt.Fprintln(w, "CLIENT                                VERSION  SECRET SINCE          ORGANISATION  NAME")
	return err
}

// printClient quotes what callers have chosen: it may hold what a terminal obeys.
func printClient(w io.Writer, client *storage.RestoredClient) error {
	since := ""
	if client.SecretCreatedAt != nil {
		since = client.SecretCreatedAt.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(w, "%s  %7d  %-20s  %-12q  %q\n", client.ID, client.SecretVersion, since, client.Organisation, client.Name)
	return err
}
