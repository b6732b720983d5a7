package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"entgo.io/ent/dialect"

	"clientsd/server/database"
)

// openPostgres creates neither a keyset nor a database: several servers share both.
func openPostgres(ctx context.Context, config Config) (s *Storage, err error) {
	s = &Storage{}
	if config.KeysetContent == "" && config.KeysetFile == "" {
		return nil, ErrKeysetNotGiven
	}
	if err := s.readKeyset(config); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: restore it from its backup, or create the first one with clientsd keyset create", err)
	} else if err != nil {
		return nil, err
	}
	if s.DB, err = database.OpenPostgres(ctx, config.Postgres); err != nil {
		return nil, err
	}
	unused, err := s.preparePostgres(ctx, config)
	if err == nil {
		err = s.acceptRestored(ctx, config.RestorePolicy)
	}
	if err == nil {
		err = s.bind(ctx, unused)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", s.DB.Name(), err), s.DB.Close())
	}
	return s, nil
}

// preparePostgres refuses a database before it writes anything. It returns the
// recorded keys that the keyset lacks and that seal nothing.
func (s *Storage) preparePostgres(ctx context.Context, config Config) (unused []uint32, err error) {
	schema, err := s.DB.Schema(ctx)
	if err != nil {
		return nil, err
	}
	if schema == database.NewerSchema {
		return nil, database.ErrNewerSchema
	}
	known := false
	if schema != database.EmptySchema {
		if unused, known, err = s.checkKeyset(ctx); err != nil {
			return nil, err
		}
		if err := s.checkRestored(ctx, s.DB.Read, dialect.Postgres, config.RestorePolicy); err != nil {
			return nil, err
		}
	}
	if err := s.checkDurability(ctx, config.RequireSyncStandby); err != nil {
		return nil, err
	}
	if config.Migrate {
		return unused, s.migrate(ctx)
	}
	if schema != database.CurrentSchema || !known {
		return nil, database.ErrOlderSchema
	}
	return unused, nil
}

// migrate brings the schema up to date and, the first time, stores the keyset
// check. Several processes may call it concurrently.
func (s *Storage) migrate(ctx context.Context) (err error) {
	if s.Migrated, err = s.DB.Migrate(ctx); err != nil {
		return err
	}
	_, known, err := s.checkKeyset(ctx)
	if err != nil || known {
		return err
	}
	addErr := addCheck(ctx, s.DB.Transact, s.Keyset)
	_, known, err = s.checkKeyset(ctx) // another process may have been faster
	if err != nil || known {
		return err
	}
	return addErr
}

// checkKeyset is the function of this name. It also returns ErrKeysetWrong if the
// database has no keyset check although it holds sealed data.
func (s *Storage) checkKeyset(ctx context.Context) (unused []uint32, known bool, err error) {
	unused, known, err = checkKeyset(ctx, s.DB.Read, dialect.Postgres, s.Keyset)
	if err == nil && !known {
		err = s.refuseSealed(ctx)
	}
	return unused, known, err
}

// refuseSealed returns ErrKeysetWrong if the database holds sealed data: it had a
// check once.
func (s *Storage) refuseSealed(ctx context.Context) error {
	clients, clientsErr := s.DB.Read.OAuthClient.Query().Exist(ctx)
	keys, keysErr := s.DB.Read.SigningKey.Query().Exist(ctx)
	if err := errors.Join(clientsErr, keysErr); err != nil {
		return err
	}
	if clients || keys {
		return ErrKeysetWrong
	}
	return nil
}

func (s *Storage) checkDurability(ctx context.Context, requireSyncStandby bool) error {
	durability, err := s.DB.Durability(ctx)
	if err != nil {
		return err
	}
	s.Warnings = durability.Warnings()
	if requireSyncStandby {
		return durability.RequireSyncStandby()
	}
	return nil
}
