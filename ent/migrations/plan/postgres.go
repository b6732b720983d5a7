package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"

	entmigrate "clientsd/ent/migrate"
)

const (
	postgresFolder = "migrations/postgres"
	// recordFile holds the schema that the migrations in the folder lead to. There is
	// no PostgreSQL in memory to replay them on, so plan compares with this record. A
	// test in server/database compares the record with a real server.
	recordFile = postgresFolder + "/schema.hcl"
	// postgresVersion is the oldest version that the SQL is planned for.
	postgresVersion = "140000"
	publicSchema    = "public"
)

// planPostgres plans the difference between the recorded schema and ent/schema, and
// records the new schema.
func planPostgres(ctx context.Context, driver *entsql.Driver, name string) error {
	desired, err := desiredPostgres(ctx, driver)
	if err != nil {
		return err
	}
	recorded, err := readRecord()
	if err != nil {
		return err
	}
	changes, err := postgres.DefaultDiff.SchemaDiff(recorded, desired)
	if err != nil || len(changes) == 0 {
		return err
	}
	unqualified := ""
	plan, err := postgres.DefaultPlan.PlanChanges(ctx, name, changes, func(o *migrate.PlanOptions) { o.SchemaQualifier = &unqualified })
	if err != nil {
		return err
	}
	folder, err := sqltool.NewGooseDir(postgresFolder)
	if err != nil {
		return err
	}
	if err := migrate.NewPlanner(nil, folder, migrate.PlanFormat(upOnly())).WritePlan(plan); err != nil {
		return err
	}
	return writeRecord(desired)
}

func readRecord() (*atlas.Schema, error) {
	record, err := os.ReadFile(recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return atlas.New(publicSchema), nil
	}
	if err != nil {
		return nil, err
	}
	recorded := &atlas.Schema{}
	return recorded, postgres.EvalHCLBytes(record, recorded, nil)
}

func writeRecord(desired *atlas.Schema) error {
	record, err := postgres.MarshalHCL(desired)
	if err != nil {
		return err
	}
	record = append([]byte("# Written by ent/migrations/plan: the schema that the migrations here lead to. DO NOT EDIT.\n"), record...)
	return os.WriteFile(recordFile, record, 0o644) //nolint:gosec // a source file
}

// desiredPostgres translates ent/schema for PostgreSQL.
func desiredPostgres(ctx context.Context, driver *entsql.Driver) (*atlas.Schema, error) {
	ent, err := schema.NewMigrate(posing{driver})
	if err != nil {
		return nil, err
	}
	realm, err := ent.StateReader(entmigrate.Tables...).ReadState(ctx)
	if err != nil {
		return nil, err
	}
	desired := realm.Schemas[0]
	desired.Name = publicSchema
	for _, table := range desired.Tables {
		for _, column := range table.Columns {
			nameDefault(column)
		}
	}
	return desired, nil
}

// nameDefault writes out the kind of identity that ent means. Atlas cannot read the
// record without it.
func nameDefault(column *atlas.Column) {
	for _, attribute := range column.Attrs {
		if identity, ok := attribute.(*postgres.Identity); ok && identity.Generation == "" {
			identity.Generation = "BY DEFAULT"
		}
	}
}

// posing stands in for PostgreSQL. Before ent translates a schema, it asks the
// server only for its version.
type posing struct{ *entsql.Driver }

// Dialect returns the dialect that ent translates to.
func (posing) Dialect() string { return dialect.Postgres }

// Query answers every query with the version.
func (p posing) Query(ctx context.Context, _ string, _, rows any) error {
	return p.Driver.Query(ctx, "SELECT "+postgresVersion, []any{}, rows)
}
