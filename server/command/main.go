package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

const description = `clientsd keeps OAuth clients and rotates their secrets.

    clientsd demo                               # see a rotation over the wire
    clientsd serve                              # run the service
    clientsd token --scope oauth:clients:read   # get a token for it

Each flag also has an environment variable: CLIENTSD_DATA_DIR for --data-dir. An empty variable counts as unset. Write durations like 90s, 12h or 30d.`

// commands is the command line. Each field is a command.
type commands struct {
	Demo        Demo        `cmd:"" help:"Rotate a secret on a temporary server, and show every step."`
	Serve       Serve       `cmd:"" help:"Run the service."`
	Token       Token       `cmd:"" help:"Mint an access token of the built-in issuer."`
	Keyset      Keyset      `cmd:"" help:"Manage the keys that seal the secrets."`
	SigningKey  SigningKey  `cmd:"" help:"Manage the keys of the built-in issuer."`
	Backup      Backup      `cmd:"" help:"Copy the database, also while a server runs."`
	Restore     Restore     `cmd:"" help:"Restore a backup in the place of a lost database."`
	Rollback    Rollback    `cmd:"" help:"Manage a database that was restored."`
	Migrate     Migrate     `cmd:"" help:"Bring the schema of the database up to date."`
	Healthcheck Healthcheck `cmd:"" help:"Ask a running service if it is ready."`
	Version     Version     `cmd:"" help:"Print the version."`
}

// Main runs the program, all but its exit. The first signal asks the command to
// finish, a second one ends the process.
func Main(version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	env := &Environment{Context: ctx, Stdout: os.Stdout, Stderr: os.Stderr, Version: version, Program: program(os.Args[0])}
	return env.run(os.Args[1:])
}

// Run runs a command line and returns the exit code: 0 if all went well, 1 if a
// command failed, 2 if the command line is wrong.
func Run(ctx context.Context, version string, args []string, stdout, stderr io.Writer) int {
	env := &Environment{Context: ctx, Stdout: stdout, Stderr: stderr, Version: version}
	return env.run(args)
}

func (env *Environment) run(args []string) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("clientsd"),
		kong.Description(description),
		kong.DefaultEnvars("CLIENTSD"),
		kong.Writers(env.Stdout, env.Stderr),
		WithDays(),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err == nil {
		err = unsetEmptyVariables()
	}
	if err != nil {
		return env.fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help has been answered
		return exited
	}
	env.Warnings = unreadVariables(parser.Model)
	if err != nil {
		env.printWarnings()
		_, _ = fmt.Fprintf(env.Stderr, "clientsd: %v\nTry: clientsd %s--help\n", err, commandOf(err))
		return 2
	}
	env.Warnings = append(env.Warnings, unreadURL(parsed.Flags())...)
	if parsed.Command() != "serve" { // which logs them
		env.printWarnings()
	}
	if err := parsed.Run(env); err != nil {
		return env.fail(err)
	}
	return 0
}

func (env *Environment) printWarnings() {
	for _, warning := range env.Warnings {
		_, _ = fmt.Fprintf(env.Stderr, "clientsd: warning: %s\n", warning) // a hint
	}
}

func (env *Environment) fail(err error) int {
	_, _ = fmt.Fprintf(env.Stderr, "clientsd: %v\n", err)
	return 1
}

// commandOf returns the name of the command whose help fits the error, and a space.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return parse.Context.Selected().Path() + " "
	}
	return ""
}
