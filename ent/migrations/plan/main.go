// Command plan writes the SQL migration that takes the migrated database to
// the schema in ent/schema, if the two differ. It replays the migrations there
// are on an empty database in memory and plans the difference:
//
//	go run ./ent/migrations/plan [NAME]
//
// It runs as part of `go generate ./ent`, from the folder ent.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"text/template"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	_ "github.com/mattn/go-sqlite3" // the dev database

	entmigrate "clientsd/ent/migrate"
)

func main() {
	name := "change"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if err := plan(context.Background(), name); err != nil {
		fmt.Fprintln(os.Stderr, "plan migration:", err)
		os.Exit(1)
	}
}

// plan writes one new file to migrations/sqlite, or none if nothing changed.
func plan(ctx context.Context, name string) error {
	db, err := sql.Open("sqlite3", "file:plan?mode=memory&cache=shared&_fk=1")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it is in memory, nothing is lost
	folder, err := sqltool.NewGooseDir("migrations/sqlite")
	if err != nil {
		return err
	}
	err = entmigrate.NewSchema(entsql.OpenDB(dialect.SQLite, db)).NamedDiff(ctx, name,
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

// upOnly writes goose files without a Down: the Down that is planned for a
// rebuilt SQLite table is wrong, and nobody goes back by throwing data away.
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
