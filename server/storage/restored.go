package storage

import (
	"context"
	"errors"
	"time"

	"clientsd/ent"
	"clientsd/server/database"
	"clientsd/server/rollback"
	"clientsd/server/secret"
)

// Restored says what Open does with a database that was restored from a backup
// and that nobody has accepted yet.
type Restored int

const (
	// RefuseRestored makes Open fail with a [*rollback.Error] and change nothing.
	RefuseRestored Restored = iota
	// KeepRestored opens it for those who neither serve it nor hand out what it
	// holds. It stays refused by the others.
	KeepRestored
	// AcceptRestored accepts it, once the schema is up to date.
	AcceptRestored
)

// OpenDatabase opens the database as it is, for those who look at its mark or set
// it: it needs no keyset and migrates nothing.
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

// LoadKeyset loads the keyset of an embedded database that is not there yet,
// because it is about to be restored.
//
// Errors: ErrKeysetMissing.
func LoadKeyset(config Config) (*secret.Keyset, error) {
	s := &Storage{}
	if err := s.openKeyset(config, true); err != nil {
		return nil, err
	}
	return s.Keyset, nil
}

// checkRestored looks for the mark of a backup before anything is written.
func (s *Storage) checkRestored(ctx context.Context, db *ent.Client, dialectName string, then Restored) error {
	err := rollback.Check(ctx, db, dialectName)
	if errors.As(err, &s.Restored) && then != RefuseRestored {
		return nil
	}
	return err
}

// acceptRestored does nothing unless there is something to accept.
func (s *Storage) acceptRestored(ctx context.Context, then Restored) error {
	if s.Restored == nil || then != AcceptRestored {
		return nil
	}
	clock, err := s.DB.Clock(ctx, time.Now)
	if err != nil {
		return err
	}
	_, err = rollback.Accept(ctx, s.DB.Transact, s.DB.Dialect(), clock())
	return err
}
