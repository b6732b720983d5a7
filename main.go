// Command clientsd keeps OAuth clients and rotates their secrets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"clientsd/server/command"
)

// version is set by the linker for a release.
var version = "dev"

const description = `clientsd keeps OAuth clients and rotates their secrets.

    clientsd demo                    see a rotation over the wire
    clientsd serve                   run the service
    clientsd token --scope SCOPES    get a token for it

Every flag can also be given in the environment, --data-dir as CLIENTSD_DATA_DIR. Durations are written like 90s, 12h or 30d.`

// commands is the command line, one field a command.
type commands struct {
	Demo        command.Demo        `cmd:"" help:"Rotate a secret on a throw-away server, and show every step."`
	Serve       command.Serve       `cmd:"" help:"Run the service."`
	Token       command.Token       `cmd:"" help:"Mint an access token of the built-in issuer."`
	Keyset      command.Keyset      `cmd:"" help:"Look after the keys that seal the secrets."`
	SigningKey  command.SigningKey  `cmd:"" help:"Look after the keys of the built-in issuer."`
	Backup      command.Backup      `cmd:"" help:"Copy the database, also beside a running server."`
	Restore     command.Restore     `cmd:"" help:"Put a backup in the place of a database that is gone."`
	Rollback    command.Rollback    `cmd:"" help:"Look after a database that was restored."`
	Migrate     command.Migrate     `cmd:"" help:"Bring the database's schema up to date."`
	Healthcheck command.Healthcheck `cmd:"" help:"Ask a running service whether it is ready."`
	Version     command.Version     `cmd:"" help:"Print the version."`
}

func main() {
	// The first signal asks to finish, a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process: 0 if all went well, 1 if a command
// failed, 2 if the command line is not one.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("clientsd"),
		kong.Description(description),
		kong.DefaultEnvars("CLIENTSD"),
		kong.Writers(stdout, stderr),
		command.WithDays(),
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
	err = parsed.Run(&command.Environment{Context: ctx, Stdout: stdout, Stderr: stderr, Version: version})
	if err != nil {
		return fail(stderr, err, 1)
	}
	return 0
}

func fail(stderr io.Writer, err error, code int) int {
	_, _ = fmt.Fprintf(stderr, "clientsd: %v\n", err)
	return code
}

// commandOf names the command whose help fits the error, with a space behind.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return parse.Context.Selected().Name + " "
	}
	return ""
}
