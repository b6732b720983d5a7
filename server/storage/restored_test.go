package storage_test

import (
	"errors"
	"path/filepath"
	"testing"

	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// marked creates a database that is marked as restored, and returns how to open it.
func marked(t *testing.T) storage.Config {
	t.Helper()
	config := storagetest.Config(t, storage.Config{Dir: filepath.Join(t.TempDir(), "data"), Create: true})
	if err := open(t, config).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := storage.OpenDatabase(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	mark(t, db, takenAt)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestOpen_RestorePolicy(t *testing.T) {
	config := marked(t)
	for _, tt := range []struct {
		policy            storage.RestorePolicy
		refused, restored bool
	}{
		{storage.RefuseRestored, true, false},
		{storage.IgnoreRestored, false, true},
		{storage.RefuseRestored, true, false},
		{storage.AcceptRestored, false, true},
		{storage.RefuseRestored, false, false},
		{storage.AcceptRestored, false, false},
	} {
		config.RestorePolicy = tt.policy
		s, err := storage.Open(t.Context(), config)
		var refused *storage.RestoredError
		if errors.As(err, &refused) != tt.refused || err != nil && !tt.refused {
			t.Fatalf("%v: got error %v", tt.policy, err)
		}
		if tt.refused {
			continue
		}
		if (s.Restored != nil) != tt.restored {
			t.Errorf("%v: got %v", tt.policy, s.Restored)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The wrong keyset is reported before the mark.
func TestOpen_RestoredWithAnotherKeyset(t *testing.T) {
	config := marked(t)
	config.KeysetContent = string(read(t, filepath.Join(closed(t), "keyset.json")))
	for _, policy := range []storage.RestorePolicy{storage.RefuseRestored, storage.IgnoreRestored, storage.AcceptRestored} {
		config.RestorePolicy = policy
		if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrKeysetWrong) {
			t.Errorf("%v: got error %v", policy, err)
		}
	}
}

func TestOpenDatabase_NoDatabase(t *testing.T) {
	dir := t.TempDir()
	_, err := storage.OpenDatabase(t.Context(), storage.Config{Dir: dir})
	if !errors.Is(err, storage.ErrNoData) || err.Error() != "open "+dir+": there is no database yet: clientsd serve creates one" {
		t.Errorf("got error %v", err)
	}
	if len(files(t, dir)) != 0 {
		t.Errorf("the folder has %v", files(t, dir))
	}
}
