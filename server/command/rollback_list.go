package command

import (
	"errors"
	"fmt"

	"clientsd/server/database"
	"clientsd/server/storage"
)

// listPage is how many clients a query of rollback list reads.
const listPage = 500

// RollbackList lists the clients that a restore may have set back.
type RollbackList struct{ dataFlags }

// Help returns the text of rollback list --help.
func (RollbackList) Help() string {
	return `Lists the clients of a restored database whose secret may have been rotated since the backup. These are all clients with a secret: the backup does not show which ones were rotated. Changes nothing and needs no keyset.

Compare the list with your own records. Then start the server once with --accept-rollback.

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
			db.Name(), restored.Mark, restored.Clients) // a hint, before the list
		return printClients(env, db)
	})
}

func printClients(env *Environment, db *database.DB) error {
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
}
