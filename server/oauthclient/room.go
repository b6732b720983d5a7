package oauthclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"

	"clientsd/ent/oauthclient"
)

const (
	// maxConfigs bounds the JSON of all configurations of a client, in bytes.
	maxConfigs = 16 << 10

	// reasonClients is the reason of checkRoom.
	reasonClients = "CLIENT_LIMIT_REACHED"

	// roomLock is the class of the advisory locks of checkRoom.
	roomLock = 0x636c6e74
)

// checkRoom refuses one more client than the organisation may have. On PostgreSQL the
// creations of an organisation wait for each other, so that each counts what the one
// before has committed. SQLite has one writer.
func (s *Store) checkRoom(ctx context.Context, tx *unit, organisation string) error {
	if s.maxClients == 0 {
		return nil
	}
	if s.transactStatement != nil { // PostgreSQL
		name := fnv.New32a()
		_, _ = name.Write([]byte(organisation))                                                                                      // never fails
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", int32(roomLock), int32(name.Sum32())); err != nil { //nolint:gosec // any 32 bits do
			return err
		}
	}
	full, err := tx.OAuthClient.Query().Where(oauthclient.Organisation(organisation)).Offset(s.maxClients - 1).Exist(ctx)
	if err != nil || !full {
		return err
	}
	return &Error{
		Code: Exhausted, Reason: reasonClients, Metadata: map[string]string{"maxClients": strconv.Itoa(s.maxClients)},
		Message: fmt.Sprintf("the organisation has as many clients as it may have, %d: delete one, or ask the operator for more (--max-clients-per-organisation)", s.maxClients),
	}
}

// configs refuses configurations that are too large together.
func (v *violations) configs(field string, list []Binding) {
	size := 0
	for _, binding := range list {
		size += sizeOf(binding.JSONConfig)
	}
	if size > maxConfigs {
		v.add(field, "json_config.max_bytes", fmt.Sprintf(
			"must have no more than %d bytes of jsonConfig in all, counted as JSON without white space: these have %d", maxConfigs, size))
	}
}

// sizeOf returns the size of a configuration as JSON without white space.
func sizeOf(config map[string]any) int {
	if config == nil {
		return 0
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(config) //nolint:errchkjson // what a Struct holds can be encoded
	return text.Len() - len("\n")
}
