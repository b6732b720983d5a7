package command

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"clientsd/server"
)

// catchHangups keeps SIGHUP from ending the process, until stop. The channel gets
// each one, and ends with stop.
func catchHangups() (hangups chan os.Signal, stop func()) {
	hangups = make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups, func() {
		signal.Stop(hangups)
		close(hangups)
	}
}

// reload makes the server read its files again after each SIGHUP.
func reload(ctx context.Context, hangups <-chan os.Signal, s *server.Server) {
	for range hangups {
		s.Reload(ctx)
	}
}

// stopWithTerminal ignores SIGHUP, unless it says that the terminal was closed: the
// folder must be removed then.
func stopWithTerminal(env *Environment, hangups <-chan os.Signal, stop func()) {
	hadTerminal := isTerminal(env.Stdout)
	for range hangups {
		if hadTerminal && !isTerminal(env.Stdout) {
			stop()
		}
	}
}
