package command

import (
	"errors"
	"fmt"

	"clientsd/server/secret"
	"clientsd/server/storage"
)

// Keyset groups the commands for the keys that seal the secrets.
type Keyset struct {
	Create KeysetCreate `cmd:"" help:"Create a keyset, for PostgreSQL."`
	Info   KeysetInfo   `cmd:"" help:"List the keys, and how many rows each has sealed."`
	Rotate KeysetRotate `cmd:"" help:"Add a key, and seal new secrets with it."`
	Rekey  KeysetRekey  `cmd:"" help:"Seal everything again with the primary key."`
	Prune  KeysetPrune  `cmd:"" help:"Remove the keys that seal nothing."`
}

// Help returns the text of keyset --help.
func (Keyset) Help() string {
	return `To replace the key that seals the secrets:

    clientsd keyset rotate   # then back up the keyset, with the new key
    clientsd keyset rekey    # may be interrupted and started again
    clientsd keyset prune    # keep the old keyset for old backups

All commands work while servers run. A running server follows the keyset file. Run them as the user of the server or as root: the file keeps its owner, group and mode.`
}

// waitForReaders waits until no server seals with the old content of the keyset.
func waitForReaders(env *Environment, keyset *secret.Keyset) error {
	_, _ = fmt.Fprintln(env.Stderr, "waiting until every running server uses the keyset as it is") // a hint
	return keyset.WaitForReaders(env.Context)
}

// withStorage opens storage that exists, and closes it after body.
func (f dataFlags) withStorage(env *Environment, body func(*storage.Storage) error) error {
	return withConfig(env, f.storage(false), body)
}

// withKeysetFile is withStorage for a command that changes the keyset file. It refuses
// first if the file would get another owner, whose server could not read it.
func (f dataFlags) withKeysetFile(env *Environment, body func(*storage.Storage) error) error {
	if err := f.storage(false).CheckKeysetOwner(); err != nil {
		return err
	}
	return f.withStorage(env, body)
}

func withConfig(env *Environment, config storage.Config, body func(*storage.Storage) error) (err error) {
	opened, err := storage.Open(env.Context, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return body(opened)
}
