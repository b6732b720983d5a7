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

Each flag also has an environment variable: CLIENTSD_DATA_DIR for --data-dir. Write durations like 90s, 12h or 30d.`

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
	return Run(ctx, version, os.Args[1:], os.Stdout, os.Stderr)
}

// Run runs a command line and returns the exit code: 0 if all went well, 1 if a
// command failed, 2 if the command line is wrong.
func Run(ctx context.Context, version string, args []string, stdout, stderr io.Writer) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("clientsd"),
		kong.Description(description),
		kong.DefaultEnvars("CLIENTSD"),
		kong.Writers(stdout, stderr),
		WithDays(),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return fail(stderr, err, 1)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	switch {
	case exited >= 0: // --help has been answered
		return exited
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "clientsd: %v\nTry: clientsd %s--help\n", err, commandOf(err))
		return 2
	}
	err = parsed.Run(&Environment{Context: ctx, Stdout: stdout, Stderr: stderr, Version: version})
	if err != nil {
		return fail(stderr, err, 1)
	}
	return 0
}

func fail(stderr io.Writer, err error, code int) int {
	_, _ = fmt.Fprintf(stderr, "clientsd: %v\n", err)
	return code
}

// commandOf returns the name of the command whose help fits the error, and a space.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return parse.Context.Selected().Name + " "
	}
	return ""
}
