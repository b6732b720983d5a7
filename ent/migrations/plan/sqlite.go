package main

import (
	"context"
	"errors"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"

	entmigrate "clientsd/ent/migrate"
)

const sqliteFolder = "migrations/sqlite"

// planSQLite replays the existing migrations on an empty database in memory, and
// plans the difference between the result and ent/schema.
func planSQLite(ctx context.Context, driver *entsql.Driver, name string) error {
	folder, err := sqltool.NewGooseDir(sqliteFolder)
	if err != nil {
		return err
	}
	err = entmigrate.NewSchema(driver).NamedDiff(ctx, name,
		schema.WithDir(folder),
		schema.WithFormatter(upOnly()),
		schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDialect(dialect.SQLite),
		schema.WithDropColumn(true),
		schema.WithDropIndex(true),
	)
	if errors.Is(err, migrate.ErrNoPlan) {
		return nil
	}
	return err
}
