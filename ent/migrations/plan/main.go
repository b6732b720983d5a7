// Command plan writes the SQL migrations that take a migrated database to the
// schema in ent/schema, one for each dialect whose schema differs:
//
//	go run ./ent/migrations/plan [NAME]
//
// It needs no database server. It runs as part of `go generate ./ent`, from the
// folder ent.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"text/template"
	"time"

	"ariga.io/atlas/sql/migrate"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/mattn/go-sqlite3" // the dev database
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

// plan writes at most one new file for each dialect.
func plan(ctx context.Context, name string) error {
	db, err := sql.Open("sqlite3", "file:plan?mode=memory&cache=shared&_fk=1")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it is in memory, nothing is lost
	driver := entsql.OpenDB(dialect.SQLite, db)
	if err := planSQLite(ctx, driver, name); err != nil {
		return fmt.Errorf("for SQLite: %w", err)
	}
	if err := planPostgres(ctx, driver, name); err != nil {
		return fmt.Errorf("for PostgreSQL: %w", err)
	}
	return nil
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
