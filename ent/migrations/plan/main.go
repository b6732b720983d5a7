// Command plan writes the SQL migrations that bring a migrated database to the
// schema in ent/schema, one for each dialect whose schema differs:
//
//	go run ./ent/migrations/plan [NAME]
//
// It needs no database server. `go generate ./ent` runs it, in the folder ent.
//
// It does not recognise a renamed column: it would drop the column and its values.
// Such a migration is written by hand, like 20261126113000_api_of_an_event.sql, with
// the same change in postgres/schema.hcl. Then, in the folder ent,
//
//	go run ./migrations/plan -hash
//
// accepts the new files into each atlas.sum.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"text/template"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/mattn/go-sqlite3" // the database that migrations are replayed on
)

func main() {
	name := "change"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	run := func() error { return plan(context.Background(), name) }
	if name == "-hash" {
		run = hash
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "plan migration:", err)
		os.Exit(1)
	}
}

// plan writes at most one new file for each dialect.
func plan(ctx context.Context, name string) error {
	db, err := sql.Open("sqlite3", "file:plan?mode=memory&cache=shared&_fk=1")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // a database in memory has nothing to lose
	driver := entsql.OpenDB(dialect.SQLite, db)
	if err := planSQLite(ctx, driver, name); err != nil {
		return fmt.Errorf("for SQLite: %w", err)
	}
	if err := planPostgres(ctx, driver, name); err != nil {
		return fmt.Errorf("for PostgreSQL: %w", err)
	}
	return nil
}

// hash writes the atlas.sum of each folder.
func hash() error {
	for _, path := range []string{sqliteFolder, postgresFolder} {
		folder, err := sqltool.NewGooseDir(path)
		if err != nil {
			return err
		}
		sum, err := folder.Checksum()
		if err != nil {
			return err
		}
		if err := migrate.WriteSumFile(folder, sum); err != nil {
			return err
		}
	}
	return nil
}

// upOnly formats goose files without a Down. The Down that atlas plans for a rebuilt
// SQLite table is wrong, and going back would discard data.
func upOnly() migrate.Formatter {
	formatter, err := migrate.NewTemplateFormatter(
		template.Must(template.New("name").Parse(time.Now().UTC().Format("20060102150405")+`_{{ .Name }}.sql`)),
		template.Must(template.New("content").Parse(`-- +goose Up
{{ range .Changes }}{{ with .Comment }}-- {{ . }}
{{ end }}{{ .Cmd }};
{{ end }}`)))
	if err != nil {
		panic(err) //nolint:forbidigo // the templates are constants
	}
	return formatter
}
