package storage_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"clientsd/server/rollback"
	"clientsd/server/servertest/storagetest"
	"clientsd/server/storage"
)

// marked says of new storage that it was restored, and returns how to open it.
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
	if err := rollback.Set(t.Context(), db.Transact, time.Date(2026, 11, 21, 20, 34, 38, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestARestoredDatabaseIsRefusedUntilItIsAccepted(t *testing.T) {
	config := marked(t)
	for _, tt := range []struct {
		then               storage.Restored
		refused, knowsOfIt bool
	}{
		{storage.RefuseRestored, true, false},
		{storage.KeepRestored, false, true},
		{storage.RefuseRestored, true, false},
		{storage.AcceptRestored, false, true},
		{storage.RefuseRestored, false, false},
		{storage.AcceptRestored, false, false},
	} {
		config.Restored = tt.then
		s, err := storage.Open(t.Context(), config)
		var restored *rollback.Error
		if errors.As(err, &restored) != tt.refused || err != nil && !tt.refused {
			t.Fatalf("%v: got error %v", tt.then, err)
		}
		if tt.refused {
			continue
		}
		if (s.Restored != nil) != tt.knowsOfIt {
			t.Errorf("%v: got %v", tt.then, s.Restored)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The wrong keyset is the first thing to put right.
func TestARestoredDatabaseNeedsItsKeysetToo(t *testing.T) {
	config := marked(t)
	config.KeysetContent = string(read(t, filepath.Join(closed(t), "keyset.json")))
	for _, then := range []storage.Restored{storage.RefuseRestored, storage.KeepRestored, storage.AcceptRestored} {
		config.Restored = then
		if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrKeysetWrong) {
			t.Errorf("%v: got error %v", then, err)
		}
	}
}

func TestWhatIsNotThereIsNotOpenedAsItIs(t *testing.T) {
	dir := t.TempDir()
	_, err := storage.OpenDatabase(t.Context(), storage.Config{Dir: dir})
	if !errors.Is(err, storage.ErrNoData) || err.Error() != "open "+dir+": there is no database yet: clientsd serve makes one" {
		t.Errorf("got error %v", err)
	}
	if len(files(t, dir)) != 0 {
		t.Errorf("the folder has %v", files(t, dir))
	}
}
