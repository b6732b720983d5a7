package storage

import (
	"context"
	"errors"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/secret"
)

// RestorePolicy says what Open does with a database that was restored from a
// backup and that no operator has accepted yet.
type RestorePolicy int

const (
	// RefuseRestored makes Open fail with a [*RestoredError] and change nothing.
	RefuseRestored RestorePolicy = iota
	// IgnoreRestored makes Open succeed and keep the mark. It is for commands that
	// neither serve the database nor give away its secrets.
	IgnoreRestored
	// AcceptRestored makes Open accept the database, once its schema is up to date.
	AcceptRestored
)

// OpenDatabase opens the database to read or to set its mark. It needs no keyset
// and migrates nothing.
//
// Errors: those of Config.Validate; ErrNoData.
func OpenDatabase(ctx context.Context, config Config) (*database.DB, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Postgres.URL != "" {
		return database.OpenPostgres(ctx, config.Postgres)
	}
	if err := config.Exists(); err != nil {
		return nil, err
	}
	return database.OpenSQLite(ctx, config.DatabasePath())
}

// LoadKeyset loads the keyset of an embedded database that is about to be
// restored.
//
// Errors: ErrKeysetMissing.
func LoadKeyset(config Config) (*secret.Keyset, error) {
	s := &Storage{}
	if err := s.readKeyset(config); err != nil {
		return nil, s.missing(err)
	}
	return s.Keyset, nil
}

// checkRestored looks for the mark before anything is written.
func (s *Storage) checkRestored(ctx context.Context, db *ent.Client, dialectName string, policy RestorePolicy) error {
	err := CheckRestored(ctx, db, dialectName)
	if errors.As(err, &s.Restored) && policy != RefuseRestored {
		return nil
	}
	return err
}
