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
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
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
	// Program is how to call the binary from any folder. Empty: clientsd.
	Program string
	// Warnings are about the environment. They go to the log of a command that has one.
	Warnings []string
}

// program returns how to call the binary from any folder: one that is named with its
// folder is not found without it.
func program(name string) string {
	if !strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	return absolute(name)
}

// absolute returns path as it is if the working directory is not known.
func absolute(path string) string {
	if found, err := filepath.Abs(path); err == nil {
		return found
	}
	return path
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
		KeysetContent: os.Getenv(keysetVariable),
		Create:        create,
		Postgres:      database.Postgres{URL: f.DatabaseURL},
	}
}

// command returns how to call another command on the same data, as commandLine
// does. It never holds a password: a URL that has one stays where it is, in the
// environment, or is shown without it.
func (f dataFlags) command(env *Environment, words ...string) string {
	switch shown, hasPassword := f.DatabaseURL.WithoutPassword(); {
	case f.DatabaseURL == "":
		words = append(words, "--data-dir", absolute(f.DataDir))
	case !hasPassword || os.Getenv(databaseVariable) != string(f.DatabaseURL):
		words = append(words, "--database-url", shown)
	}
	if f.Keyset != "" {
		words = append(words, "--keyset", absolute(f.Keyset))
	}
	return commandLine(env, words...)
}

// commandLine returns a call of this binary to paste into any shell.
func commandLine(env *Environment, words ...string) string {
	words = append([]string{cmp.Or(env.Program, "clientsd")}, words...)
	for i, word := range words {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quote quotes a word for a shell. Single quotes are not escaped in the log.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
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
	if f.isText(env) {
		return slog.New(slog.NewTextHandler(env.Stderr, options)), nil
	}
	return slog.New(slog.NewJSONHandler(env.Stderr, options)), nil
}

func (f logFlags) isText(env *Environment) bool {
	return f.LogFormat == "text" || f.LogFormat == "auto" && isTerminal(env.Stderr)
}

// hint logs a command to paste. On a terminal it stands on a line of its own, without
// the quotes and escapes of the log.
func (f logFlags) hint(env *Environment, log *slog.Logger, text, command string) {
	if f.isText(env) && isTerminal(env.Stderr) && log.Enabled(env.Context, slog.LevelInfo) {
		_, _ = fmt.Fprintf(env.Stderr, "\n%s:\n\n    %s\n\n", text, command) // a hint
		return
	}
	log.InfoContext(env.Context, text, "command", command)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
