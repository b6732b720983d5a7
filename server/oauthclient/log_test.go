package oauthclient_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"clientsd/ent"
	"clientsd/server/oauthclient"
	"clientsd/server/tx"
)

// What was rolled back is not in the log, and what was committed is there once.
func TestLog_OnlyWhatWasCommitted(t *testing.T) {
	l := newLife(t, true)
	var log strings.Builder
	errRolledBack := errors.New("rolled back")
	transact, attempts, fail := l.config.Transact, 0, false
	l.config.Transact = func(ctx context.Context, body tx.Body) error {
		err := transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
			attempts++
			return errors.Join(body(ctx, tx), errRolledBack)
		})
		if fail {
			return err
		}
		attempts++
		return transact(ctx, body)
	}
	l.config.Log = slog.New(slog.NewTextHandler(&log, nil))
	l.Store = newStore(t, l.config)
	fail = true
	if _, err := l.GetWithSecret(t.Context(), acme, l.id); !errors.Is(err, errRolledBack) || log.Len() > 0 {
		t.Errorf("got error %v and log %s", err, &log)
	}
	fail = false
	if _, err := l.Update(t.Context(), acme, l.id, oauthclient.UpdateInput{RemoveLogo: true}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), `level=INFO msg="client event" kind=updated client=`+l.id.String()) || attempts != 3 {
		t.Errorf("after %d attempts got log %s", attempts, &log)
	}
}
