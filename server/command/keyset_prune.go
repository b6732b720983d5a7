package command

import (
	"fmt"
	"strings"

	"clientsd/server/secret"
	"clientsd/server/storage"
)

// KeysetPrune removes keys.
type KeysetPrune struct{ dataFlags }

// Run removes the keys that seal nothing. For each other old key it prints how many
// rows still need it.
func (c KeysetPrune) Run(env *Environment) error {
	return c.withKeysetFile(env, func(s *storage.Storage) error {
		if err := waitForReaders(env, s.Keyset); err != nil {
			return err
		}
		usage, err := storage.SealedRows(env.Context, s.DB.Read)
		if err != nil {
			return err
		}
		unused := c.unusedKeys(env, s.Keyset.Keys(), usage)
		if len(unused) == 0 {
			_, err = fmt.Fprintln(env.Stdout, "no key can be removed")
			return err
		}
		// First the record: a key in the keyset need not be in use, but the reverse.
		if err := storage.ForgetKeys(env.Context, s.DB.Transact, unused...); err != nil {
			return err
		}
		if err := s.Keyset.Remove(unused...); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "removed %s\n", strings.Trim(fmt.Sprint(unused), "[]"))
		return err
	})
}

func (c KeysetPrune) unusedKeys(env *Environment, keys []secret.Key, usage map[uint32]int) (unused []uint32) {
	for _, key := range keys {
		switch rows := usage[key.ID]; {
		case key.Primary:
		case rows == 0:
			unused = append(unused, key.ID)
		default:
			_, _ = fmt.Fprintf(env.Stderr, "key %d stays, %d rows are sealed with it: %s\n", key.ID, rows, c.command(env, "keyset", "rekey")) // a hint
		}
	}
	return unused
}
