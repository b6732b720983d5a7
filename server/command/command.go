// Package command is the command line of clientsd.
//
// It owns the commands, the flags, and all texts for a person at a terminal. Each
// command is a struct of its flags with a Run method, in a file of its own; main.go
// of this package puts them together.
//
// It must not decide anything that a caller of the service sees: it turns flags into
// the configuration of server and storage.
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

// Environment holds what a command gets from its process.
type Environment struct {
	// Context ends when the user asks the command to finish.
	Context context.Context //nolint:containedctx // kong passes one value to Run
	// Stdout carries results, Stderr everything else.
	Stdout, Stderr io.Writer
	// Version is the version of the binary.
	Version string
}

// dataFlags say where the data is. Several commands share them.
type dataFlags struct {
	DataDir     string       `default:"./clientsd-data" help:"Folder of the database, and of the keyset unless --keyset names a file."`
	DatabaseURL database.URL `placeholder:"URL" help:"PostgreSQL database, postgres://user@host/name, instead of a file in the data folder. Put no password on a command line, which others can see: put the URL into the environment, or the password into PGPASSWORD or ~/.pgpass."`
	Keyset      string       `env:"CLIENTSD_KEYSET_FILE" placeholder:"FILE" help:"Keyset file, mode 0600, or 0640 if the server is in its group. Default: keyset.json in the data folder; required with --database-url. CLIENTSD_KEYSET may hold the keyset itself instead."`
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

// command returns how to call another command on the same data. A URL may hold a
// password, so the result never holds the URL. If the URL came from the environment,
// the other command finds it there.
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
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Lowest level to log: ${enum}."`
	LogFormat string `enum:"auto,text,json" default:"auto" help:"Format of the log: ${enum}. auto is text on a terminal and JSON otherwise."`
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
