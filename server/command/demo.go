package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"clientsd/server"
	"clientsd/server/auth"
	"clientsd/server/issuer"
	"clientsd/server/secret"
	"clientsd/server/storage"
)

// demoScopes are the scopes that the steps of the demo need.
var demoScopes = []string{auth.ScopeManage, auth.ScopeRead, auth.ScopeVerify}

// Demo rotates a secret on a temporary server and prints every step.
type Demo struct {
	Once bool   `help:"Exit after the last step, with 1 if a step failed."`
	Addr string `default:"127.0.0.1:0" help:"Address of the temporary server. Port 0 takes a free port."`
}

// Help returns the text of demo --help.
func (Demo) Help() string {
	return `Starts the real server on a temporary folder and calls it over HTTP, as curl would. Creates a client, verifies its secret, rotates it, and shows that the old secret is refused and the new one accepted.

Then prints a token and a curl command to paste, and serves until Ctrl-C. Removes everything at the end.

Examples:

    clientsd demo
    clientsd demo --once`
}

// Run prints the rotation. It fails if a step does.
func (c Demo) Run(env *Environment) (err error) {
	dir, err := os.MkdirTemp("", "clientsd-demo-")
	if err != nil {
		return fmt.Errorf("create a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := server.New(env.Context, server.Config{
		Addr:         c.Addr,
		SecretPrefix: secret.DefaultPrefix,
		Storage:      storage.Config{Dir: dir, Create: true},
		Log:          slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(env.Context)
	defer stop()
	hangups, restore := catchHangups()
	defer restore()
	go stopWithTerminal(env, hangups, stop)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	err = c.show(ctx, env, s)
	stop()
	return errors.Join(err, <-ended)
}

// show runs the steps, and without --once waits for Ctrl-C.
func (c Demo) show(ctx context.Context, env *Environment, s *server.Server) error {
	token, err := s.Issuer().Mint(ctx, issuer.Grant{
		Subject:  "urn:xeonr:serviceaccount:demo",
		Audience: server.DefaultAudience,
		Scopes:   demoScopes,
		TTL:      24 * time.Hour,
	})
	if err != nil {
		return err
	}
	printed := &transcript{out: env.Stdout, colour: isTerminal(env.Stdout) && os.Getenv("NO_COLOR") == "", url: s.URL(), token: token}
	printed.sayf("A real clientsd at %s, on a temporary folder.", s.URL())
	clientID, err := printed.rotation(ctx)
	if err != nil || c.Once {
		return err
	}
	printed.invite(clientID)
	<-ctx.Done()
	return nil
}
