package database_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

func TestDurability_Warnings(t *testing.T) {
	const (
		alone  = "synchronous_standby_names is empty: acknowledged rotations are on one machine only, and a failover may lose the last of them"
		fsync  = "fsync is off: when the database's machine fails, acknowledged rotations are lost"
		pages  = "full_page_writes is off: when the database's machine fails, the database may be damaged"
		commit = "synchronous_commit is off: when the database fails, the last acknowledged rotations are lost"
	)
	for name, tt := range map[string]struct {
		settings database.Durability
		warnings []string
		safe     bool
	}{
		"a standby":                       {database.Durability{"on", "on", "on", "one"}, nil, true},
		"a standby that must show it":     {database.Durability{"on", "on", "remote_apply", "ANY 1 (one, two)"}, nil, true},
		"no standby":                      {database.Durability{"on", "on", "on", ""}, []string{alone}, false},
		"no standby, and none waited for": {database.Durability{"on", "on", "local", ""}, []string{alone}, false},
		"nothing":                         {database.Durability{"off", "off", "off", ""}, []string{fsync, pages, commit, alone}, false},
		"a standby nobody waits for": {
			database.Durability{"on", "on", "local", "one"},
			[]string{"synchronous_commit is local: a failover may lose the last acknowledged rotations"},
			false,
		},
		"a standby that may crash": {
			database.Durability{"on", "on", "remote_write", "one"},
			[]string{"synchronous_commit is remote_write: a failover may lose the last acknowledged rotations"},
			false,
		},
		"a server that says nothing": {database.Durability{}, []string{alone}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.warnings, tt.settings.Warnings()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := tt.settings.RequireSyncStandby(); (err == nil) != tt.safe || err != nil && !errors.Is(err, database.ErrNoSyncStandby) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestDurability_ReadsOwnSessions(t *testing.T) {
	config := storagetest.Postgres(t)
	db := openPostgres(t, with(t, config, "synchronous_commit", "remote_write"))
	got, err := db.Durability(t.Context())
	want := database.Durability{
		Fsync:                   show(t, db.Read, "fsync"),
		FullPageWrites:          show(t, db.Read, "full_page_writes"),
		SynchronousCommit:       "remote_write",
		SynchronousStandbyNames: show(t, db.Read, "synchronous_standby_names"),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
