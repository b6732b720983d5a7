package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrNoSyncStandby says that a commit is acknowledged before a standby has it.
var ErrNoSyncStandby = errors.New("a commit does not wait for a standby: set synchronous_standby_names, and synchronous_commit to on or remote_apply")

// Durability is what a PostgreSQL server does before it acknowledges a commit.
// A setting that the server does not know is empty.
type Durability struct {
	// Fsync and FullPageWrites are on or off, and decide what a crash of the
	// machine leaves.
	Fsync, FullPageWrites string
	// SynchronousCommit is off, local, remote_write, on or remote_apply.
	SynchronousCommit string
	// SynchronousStandbyNames are the standbys a commit waits for. Empty: none.
	SynchronousStandbyNames string
}

// Durability asks a PostgreSQL server for its settings, as they are for the
// connections of this pool.
func (db *DB) Durability(ctx context.Context) (Durability, error) {
	var d Durability
	err := db.reader.QueryRowContext(ctx, `SELECT
		coalesce(current_setting('fsync', true), ''),
		coalesce(current_setting('full_page_writes', true), ''),
		coalesce(current_setting('synchronous_commit', true), ''),
		coalesce(current_setting('synchronous_standby_names', true), '')`,
	).Scan(&d.Fsync, &d.FullPageWrites, &d.SynchronousCommit, &d.SynchronousStandbyNames)
	if err != nil {
		return Durability{}, fmt.Errorf("read durability settings: %w", err)
	}
	return d, nil
}

// Warnings returns what can be lost although it was acknowledged, a sentence each.
func (d Durability) Warnings() []string {
	var warnings []string
	warn := func(holds bool, text string) {
		if holds {
			warnings = append(warnings, text)
		}
	}
	warn(d.Fsync == "off", "fsync is off: when the database's machine fails, acknowledged rotations are lost")
	warn(d.FullPageWrites == "off", "full_page_writes is off: when the database's machine fails, the database may be damaged")
	warn(d.SynchronousCommit == "off", "synchronous_commit is off: when the database fails, the last acknowledged rotations are lost")
	warn(d.SynchronousStandbyNames == "", "synchronous_standby_names is empty: acknowledged rotations are on one machine only, and a failover may lose the last of them")
	warn(d.SynchronousStandbyNames != "" && slices.Contains([]string{"local", "remote_write"}, d.SynchronousCommit),
		"synchronous_commit is "+d.SynchronousCommit+": a failover may lose the last acknowledged rotations")
	return warnings
}

// RequireSyncStandby returns ErrNoSyncStandby unless a commit is on the disk of
// a standby before it is acknowledged.
func (d Durability) RequireSyncStandby() error {
	if d.SynchronousStandbyNames == "" || !slices.Contains([]string{"on", "remote_apply"}, d.SynchronousCommit) {
		return ErrNoSyncStandby
	}
	return nil
}
