package command

import (
	"fmt"

	"clientsd/server/storage"
)

// KeysetRotate adds a key.
type KeysetRotate struct{ dataFlags }

// Run adds a key to the keyset file, and prints the next steps.
func (c KeysetRotate) Run(env *Environment) error {
	return c.withKeysetFile(env, func(s *storage.Storage) error {
		key, err := s.Keyset.Rotate()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "key %d is the primary key now; back up %s, then: %s\n",
			key.ID, s.KeysetFile, c.command(env, "keyset", "rekey"))
		return err
	})
}
