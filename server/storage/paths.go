package storage

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"clientsd/server/durable"
)

// DatabasePath returns the path of the embedded database.
func (c Config) DatabasePath() string { return filepath.Join(c.Dir, databaseFile) }

// KeysetPath returns the path of the keyset of the embedded database. It is empty
// if the keyset does not come from a file.
func (c Config) KeysetPath() string {
	switch {
	case c.KeysetContent != "":
		return ""
	case c.KeysetFile != "":
		return c.KeysetFile
	default:
		return filepath.Join(c.Dir, keysetFile)
	}
}

// CheckKeysetOwner returns [durable.ErrOwner], wrapped, if a change of the keyset file
// would change its owner. A command asks before it opens anything.
func (c Config) CheckKeysetOwner() error {
	path := c.KeysetFile
	if c.Postgres.URL == "" {
		path = c.KeysetPath()
	}
	if err := durable.CheckUpdate(path); errors.Is(err, durable.ErrOwner) {
		return fmt.Errorf("write keyset: %w", err)
	}
	return nil // what else is wrong shows when the storage is opened
}

// Exists returns ErrNoData if there is no embedded database yet.
func (c Config) Exists() error {
	if exists, err := isFile(c.DatabasePath()); err != nil || !exists {
		return fmt.Errorf("open %s: %w", c.Dir, cmp.Or(err, ErrNoData))
	}
	return nil
}
