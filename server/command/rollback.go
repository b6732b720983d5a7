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

// Rollback groups the commands for a database that was restored.
type Rollback struct {
	List RollbackList `cmd:"" help:"List the clients whose secret may have been rotated since the backup."`
	Mark RollbackMark `cmd:"" help:"Mark a database as restored, if it carries no mark."`
}

// withDatabase opens the database without a keyset, and closes it after body.
func (f dataFlags) withDatabase(env *Environment, body func(*database.DB) error) (err error) {
	opened, err := storage.OpenDatabase(env.Context, f.storage(false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return body(opened)
}

// showRestored prints the first clients of a database that is refused because it
// was restored.
func (f dataFlags) showRestored(env *Environment, err error) {
	var restored *storage.RestoredError
	if !errors.As(err, &restored) {
		return
	}
	_ = printHeader(env.Stderr) // a hint: the command returns the error that matters
	for _, client := range restored.First {
		_ = printClient(env.Stderr, client) // as above
	}
	if more := restored.Clients - len(restored.First); more > 0 {
		_, _ = fmt.Fprintf(env.Stderr, "and %d more: %s\n", more, f.command(env, "rollback", "list")) // as above
	}
}

// announceRestored logs that a restored database was accepted.
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

// printClient quotes the texts that callers have chosen: they may hold control
// sequences for a terminal.
func printClient(w io.Writer, client *storage.RestoredClient) error {
	since := ""
	if client.SecretCreatedAt != nil {
		since = client.SecretCreatedAt.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(w, "%s  %7d  %-20s  %-12q  %q\n", client.ID, client.SecretVersion, since, client.Organisation, client.Name)
	return err
}
