package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// repeatInterval is how often the log repeats what is wrong with the keyset.
const repeatInterval = time.Minute

// A StateError reports what an operator must put right about a keyset.
type StateError struct {
	// Missing are the keys in use that are not loaded. What they have sealed cannot be
	// shown.
	Missing []uint32
	// File says why the keyset file is not used. Nil: it is.
	File error
}

// Error says what is wrong and what to do.
func (e *StateError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, fmt.Sprintf("the keyset lacks keys that are in use, and what they have sealed cannot be shown: "+
			"put the newest copy of the keyset in its place; missing: %s", joinIDs(e.Missing)))
	}
	if e.File != nil {
		parts = append(parts, fmt.Sprintf("the keyset file is not used, and what was loaded before stays: %v", e.File))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns why the keyset file is not used.
func (e *StateError) Unwrap() error { return e.File }

func joinIDs(ids []uint32) string { return strings.Trim(fmt.Sprint(ids), "[]") }

// Check reads the keyset file and takes it over, if it may. It returns a
// [*StateError] if the file is not used or a key in use is not loaded, and another
// error if the database does not answer.
func (k *Keyset) Check(ctx context.Context) error {
	k.look(0)
	seen, err := k.latest(ctx)
	if err != nil {
		return err
	}
	inUse, err := k.keysInUse(ctx)
	if err != nil {
		return err
	}
	state := &StateError{Missing: k.Missing(inUse), File: seen.err}
	if seen.isRefused() {
		state.File = fmt.Errorf("%s is an older copy: it lacks keys that are in use", k.path)
	}
	if len(state.Missing) == 0 && state.File == nil {
		return nil
	}
	return state
}

// Run follows the keyset file until ctx ends, also while nothing is sealed. It logs
// each change, and what is wrong, again every minute.
func (k *Keyset) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	content, said, at := k.view.Load().current, "", time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var state *StateError
		err := k.Check(ctx)
		switch changed := k.view.Load().current != content; {
		case errors.As(err, &state):
			if text := err.Error(); text != said || time.Since(at) >= repeatInterval {
				k.logState(ctx, log, state)
				said, at = text, time.Now()
			}
		case err == nil && (changed || said != ""):
			k.logState(ctx, log, nil)
			said = ""
		}
		content = k.view.Load().current
	}
}

// Reload reads the keyset file now, and logs what has come of it. It does nothing if
// there is no file.
func (k *Keyset) Reload(ctx context.Context, log *slog.Logger) {
	if k.path != "" {
		k.logState(ctx, log, k.Check(ctx))
	}
}

func (k *Keyset) logState(ctx context.Context, log *slog.Logger, state error) {
	if state != nil {
		log.ErrorContext(ctx, "the keyset needs an operator", "error", state)
		return
	}
	log.InfoContext(ctx, "the keyset was read again", "file", k.path, "keys", len(k.Keys()), "primary", k.Primary())
}
