// Package command is what the command line does: each command is a struct of
// its flags with a Run method, and Run runs the one that was asked for.
//
// It is the only package that talks to a person at a terminal.
package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"clientsd/server/database"
	"clientsd/server/storage"
)

// Environment is what a command runs in.
type Environment struct {
	// Context ends when the user asks the command to finish.
	Context context.Context //nolint:containedctx // kong passes one value to Run
	// Stdout carries results, Stderr everything else.
	Stdout, Stderr io.Writer
	// Version is the version of the binary.
	Version string
}

// dataFlags say where the data is; several commands share them.
type dataFlags struct {
	DataDir     string       `default:"./clientsd-data" help:"Folder of the database and, unless --keyset says otherwise, the keyset."`
	DatabaseURL database.URL `placeholder:"URL" help:"PostgreSQL database to use instead of a file in the data folder, postgres://user@host/name. A password does not belong on a command line, which others see: put the URL into the environment, or the password into PGPASSWORD or ~/.pgpass."`
	Keyset      string       `env:"CLIENTSD_KEYSET_FILE" placeholder:"FILE" help:"Keyset file, mode 0600. Default: keyset.json in the data folder; required with --database-url. CLIENTSD_KEYSET may hold the keyset itself instead."`
}

func (f dataFlags) storage(create bool) storage.Config {
	return storage.Config{
		Dir:           f.DataDir,
		KeysetFile:    f.Keyset,
		KeysetContent: os.Getenv("CLIENTSD_KEYSET"), // no flag: it would show in the process list
		Create:        create,
		Postgres:      database.Postgres{URL: f.DatabaseURL},
	}
}

// command is how to call another command on the same data. A URL may carry a
// password, which a hint neither shows nor puts on a command line: it stays in
// the environment if it came from there.
func (f dataFlags) command(words ...string) string {
	words = append([]string{"clientsd"}, words...)
	switch {
	case f.DatabaseURL == "":
		words = append(words, "--data-dir", f.DataDir)
	case os.Getenv("CLIENTSD_DATABASE_URL") == "":
		words = append(words, "--database-url URL")
	}
	if f.Keyset != "" {
		words = append(words, "--keyset", f.Keyset)
	}
	return strings.Join(words, " ")
}

// logFlags say how a command logs.
type logFlags struct {
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least level to log: ${enum}."`
	LogFormat string `enum:"auto,text,json" default:"auto" help:"How to log: ${enum}. auto is text on a terminal and JSON otherwise."`
}

// logger writes to standard error.
func (f logFlags) logger(env *Environment) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "text" || f.LogFormat == "auto" && isTerminal(env.Stderr) {
		return slog.New(slog.NewTextHandler(env.Stderr, options)), nil
	}
	return slog.New(slog.NewJSONHandler(env.Stderr, options)), nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
