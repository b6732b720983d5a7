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

// demoScopes are what every step of the demo needs.
var demoScopes = []string{auth.ScopeManage, auth.ScopeRead, auth.ScopeVerify}

// Demo rotates a secret on a throw-away server and shows every step.
type Demo struct {
	Once bool   `help:"Exit after the last step instead of going on serving; 1 if a step was not as it should be."`
	Addr string `default:"127.0.0.1:0" help:"Where the throw-away server listens; port 0 takes a free one."`
}

// Help is shown by demo --help.
func (Demo) Help() string {
	return `Starts the real server on a temporary folder and talks to it over HTTP, as curl would: creates a client, verifies its secret, rotates it, and shows that the old secret is refused and the new one accepted. Then it goes on serving, with a token and a curl line to paste, until Ctrl-C; nothing stays behind.

Examples:

    clientsd demo
    clientsd demo --once`
}

// Run shows the rotation, and fails if a step was not as it should be.
func (c Demo) Run(env *Environment) (err error) {
	dir, err := os.MkdirTemp("", "clientsd-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
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
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	err = c.show(ctx, env, s)
	stop()
	return errors.Join(err, <-ended)
}

// show runs the steps, and waits for Ctrl-C unless it is asked not to.
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
	show := &showing{out: env.Stdout, colour: isTerminal(env.Stdout) && os.Getenv("NO_COLOR") == "", url: s.URL(), token: token}
	show.sayf("A real clientsd at %s, on a temporary folder.", s.URL())
	clientID, err := show.rotation(ctx)
	if err != nil || c.Once {
		return err
	}
	show.invite(clientID)
	<-ctx.Done()
	return nil
}
