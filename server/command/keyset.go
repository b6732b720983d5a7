package command

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"

	"clientsd/server/reencrypt"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// Keyset is the group of commands about the keys that seal the secrets.
type Keyset struct {
	Create KeysetCreate `cmd:"" help:"Make a keyset, for PostgreSQL."`
	Info   KeysetInfo   `cmd:"" help:"List the keys and what each has sealed."`
	Rotate KeysetRotate `cmd:"" help:"Add a key, and seal new secrets with it."`
	Rekey  KeysetRekey  `cmd:"" help:"Seal everything anew with the primary key."`
	Prune  KeysetPrune  `cmd:"" help:"Remove the keys that nothing is sealed with."`
}

// Help is shown by keyset --help.
func (Keyset) Help() string {
	return `All of them work beside a running server, which follows the keyset file. To change the key that seals the secrets:

    clientsd keyset rotate    and back up the keyset: new secrets need the new key
    clientsd keyset rekey     may be broken off and begun again
    clientsd keyset prune     old backups of the database need the old keyset`
}

// KeysetCreate makes a keyset. With a file as database, serve makes it on its
// first run.
type KeysetCreate struct {
	File string `arg:"" help:"The new file. It must not be there yet."`
}

// Help is shown by keyset create --help.
func (KeysetCreate) Help() string {
	return `Makes a keyset of one AES-256-GCM key in a new file of mode 0600. Every server on the same PostgreSQL database needs this one keyset. Back it up apart from the database: without it no secret can be shown again.

Example:

    clientsd keyset create keyset.json`
}

// Run makes the file, and never replaces one.
func (c KeysetCreate) Run(env *Environment) error {
	if _, err := secret.CreateKeyset(c.File); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create keyset: %s is there already, and a keyset is never replaced", c.File)
	} else if err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Stdout, "made %s; back it up, and give it to every server by --keyset\n", c.File)
	return err
}

// KeysetInfo lists the keys.
type KeysetInfo struct{ dataFlags }

// Run prints a table: key, whether it is the primary one, rows it has sealed.
func (c KeysetInfo) Run(env *Environment) error {
	config := c.storage(false)
	config.RestorePolicy = storage.IgnoreRestored
	return withConfig(env, config, func(s *storage.Storage) error {
		usage, err := reencrypt.Usage(env.Context, s.DB.Read)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(env.Stdout, 0, 0, 3, ' ', 0)
		_, _ = fmt.Fprintln(table, "KEY\tROLE\tSEALED ROWS") // Flush tells
		for _, key := range s.Keyset.Keys() {
			_, _ = fmt.Fprintf(table, "%d\t%s\t%d\n", key.ID, role(key), usage[key.ID]) // Flush tells
		}
		return table.Flush()
	})
}

func role(key secret.Key) string {
	if key.Primary {
		return "primary"
	}
	return "old"
}

// KeysetRotate adds a key.
type KeysetRotate struct{ dataFlags }

// Run adds a key to the keyset file and says what to do next.
func (c KeysetRotate) Run(env *Environment) error {
	return c.withStorage(env, func(s *storage.Storage) error {
		key, err := s.Keyset.Rotate()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "key %d is the primary key now; back up %s, then: clientsd keyset rekey\n", key.ID, s.KeysetFile)
		return err
	})
}

// KeysetRekey seals everything anew.
type KeysetRekey struct{ dataFlags }

// Run fails if a secret does not open with any key, once the others are done.
func (c KeysetRekey) Run(env *Environment) error {
	return c.withStorage(env, func(s *storage.Storage) error {
		total, err := s.DB.Read.OAuthClient.Query().Count(env.Context)
		if err != nil {
			return fmt.Errorf("count clients: %w", err)
		}
		if err := settle(env, s.Keyset); err != nil {
			return err
		}
		bar := newBar(env, total)
		result, err := reencrypt.Run(env.Context, s.DB.Read, s.DB.Transact, s.Keyset, func(n int) { _ = bar.Add(n) }) // only a picture
		_, _ = fmt.Fprintln(env.Stderr)                                                                               // ends its line
		if err != nil {
			return err
		}
		if len(result.Damaged) > 0 {
			return fmt.Errorf("%d secrets do not open with any key, rotate these clients: %v", len(result.Damaged), result.Damaged)
		}
		_, err = fmt.Fprintf(env.Stdout, "%d rows sealed anew; everything is sealed with key %d\n", result.Resealed, s.Keyset.Primary())
		return err
	})
}

// settle waits after a rotation: a server may still seal with the old key.
func settle(env *Environment, keyset *secret.Keyset) error {
	_, _ = fmt.Fprintln(env.Stderr, "waiting until every running server uses the keyset as it is") // a hint
	return keyset.WaitForReaders(env.Context)
}

func newBar(env *Environment, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionSetDescription("sealing anew"),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true))
}

// KeysetPrune removes keys.
type KeysetPrune struct{ dataFlags }

// Run removes the keys that nothing is sealed with, and says of the others what
// keeps them.
func (c KeysetPrune) Run(env *Environment) error {
	return c.withStorage(env, func(s *storage.Storage) error {
		if err := settle(env, s.Keyset); err != nil {
			return err
		}
		usage, err := reencrypt.Usage(env.Context, s.DB.Read)
		if err != nil {
			return err
		}
		unused := unusedKeys(env, s.Keyset.Keys(), usage)
		if len(unused) == 0 {
			_, err = fmt.Fprintln(env.Stdout, "no key can be removed")
			return err
		}
		if err := s.Keyset.Remove(unused...); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "removed %s\n", strings.Trim(fmt.Sprint(unused), "[]"))
		return err
	})
}

func unusedKeys(env *Environment, keys []secret.Key, usage map[uint32]int) (unused []uint32) {
	for _, key := range keys {
		switch rows := usage[key.ID]; {
		case key.Primary:
		case rows == 0:
			unused = append(unused, key.ID)
		default:
			_, _ = fmt.Fprintf(env.Stderr, "key %d stays, %d rows are sealed with it: clientsd keyset rekey first\n", key.ID, rows) // a hint
		}
	}
	return unused
}

// withStorage opens what is there already, and closes it.
func (f dataFlags) withStorage(env *Environment, body func(*storage.Storage) error) error {
	return withConfig(env, f.storage(false), body)
}

func withConfig(env *Environment, config storage.Config, body func(*storage.Storage) error) (err error) {
	opened, err := storage.Open(env.Context, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return body(opened)
}
