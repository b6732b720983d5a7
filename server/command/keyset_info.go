package command

import (
	"fmt"
	"text/tabwriter"

	"clientsd/server/secret"
	"clientsd/server/storage"
)

// KeysetInfo lists the keys.
type KeysetInfo struct{ dataFlags }

// Run prints a table of the keys, their roles and how many rows each has sealed.
func (c KeysetInfo) Run(env *Environment) error {
	config := c.storage(false)
	config.RestorePolicy = storage.IgnoreRestored
	return withConfig(env, config, func(s *storage.Storage) error {
		usage, err := storage.SealedRows(env.Context, s.DB.Read)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(env.Stdout, 0, 0, 3, ' ', 0)
		_, _ = fmt.Fprintln(table, "KEY\tROLE\tSEALED ROWS") // Flush returns the error
		for _, key := range s.Keyset.Keys() {
			_, _ = fmt.Fprintf(table, "%d\t%s\t%d\n", key.ID, role(key), usage[key.ID]) // as above
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
