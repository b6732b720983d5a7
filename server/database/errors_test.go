package database_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"clientsd/server/database"
)

func TestClassify(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want database.Failure
	}{
		"no error":               {nil, database.Unknown},
		"something else":         {errors.New("disk I/O error"), database.Unknown},
		"a deadline":             {context.DeadlineExceeded, database.Unknown},
		"a lost connection":      {driver.ErrBadConn, database.Unavailable},
		"a lock":                 {sqlite3.Error{Code: sqlite3.ErrBusy}, database.Unavailable},
		"a lock of our own":      {sqlite3.Error{Code: sqlite3.ErrLocked}, database.Unavailable},
		"a full disk":            {sqlite3.Error{Code: sqlite3.ErrFull}, database.Unavailable},
		"a failing disk":         {sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, database.Unavailable},
		"a file that went away":  {sqlite3.Error{Code: sqlite3.ErrCantOpen}, database.Unavailable},
		"a disk that is full up": {sqlite3.Error{Code: sqlite3.ErrReadonly}, database.Unavailable},
		"a call that was ended":  {sqlite3.Error{Code: sqlite3.ErrInterrupt}, database.Interrupted},
		"a damaged file":         {sqlite3.Error{Code: sqlite3.ErrCorrupt}, database.Corrupt},
		"a file of another kind": {sqlite3.Error{Code: sqlite3.ErrNotADB}, database.Corrupt},
		"a broken rule":          {sqlite3.Error{Code: sqlite3.ErrConstraint}, database.Unknown},
		"wrong SQL":              {sqlite3.Error{Code: sqlite3.ErrError}, database.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := database.Classify(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := database.Classify(fmt.Errorf("rotate secret: %w", tt.err)); got != tt.want {
				t.Errorf("wrapped: got %v, want %v", got, tt.want)
			}
		})
	}
}

// What the real database says, not what we think it says.
func TestClassifyKnowsWhatSQLiteSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := database.OpenSQLite(t.Context(), path); database.Classify(err) != database.Corrupt {
		t.Errorf("a file of another kind: got error %v", err)
	}
	if _, err := database.OpenReadOnly(t.Context(), path+"-nothing"); database.Classify(err) != database.Unavailable {
		t.Errorf("no file: got error %v", err)
	}
	db := migrated(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Read.OAuthClient.Query().Count(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: got error %v", err)
	}
	if _, err := db.Write.ExecContext(t.Context(), "SELECT nothing"); database.Classify(err) != database.Unknown {
		t.Errorf("wrong SQL: got error %v", err)
	}
}
