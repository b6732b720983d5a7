package storage

import (
	"cmp"
	"fmt"
	"path/filepath"
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

// Exists returns ErrNoData if there is no embedded database yet.
func (c Config) Exists() error {
	if exists, err := isFile(c.DatabasePath()); err != nil || !exists {
		return fmt.Errorf("open %s: %w", c.Dir, cmp.Or(err, ErrNoData))
	}
	return nil
}
