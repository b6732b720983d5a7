package command

import (
	"errors"
	"fmt"
	"io/fs"

	"clientsd/server/secret"
)

// KeysetCreate creates a keyset for PostgreSQL. With SQLite, the first run of serve
// creates it.
type KeysetCreate struct {
	File string `arg:"" help:"New file. It must not exist."`
}

// Help returns the text of keyset create --help.
func (KeysetCreate) Help() string {
	return `Creates a keyset of one AES-256-GCM key, in a new file with mode 0600. Every server on the same PostgreSQL database needs this same keyset.

Back it up, in another place than the database. Without it no secret can be shown again.

Example:

    clientsd keyset create keyset.json`
}

// Run creates the file. It never replaces one.
func (c KeysetCreate) Run(env *Environment) error {
	if _, err := secret.CreateKeyset(c.File); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create keyset: %s is there already, and a keyset is never replaced", c.File)
	} else if err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Stdout, "created %s; back it up, and give it to every server with --keyset\n", c.File)
	return err
}
