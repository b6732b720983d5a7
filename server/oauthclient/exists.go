package oauthclient

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// Exists reports whether an organisation has a client of that id. An id that is
// no UUID is one that no client has.
func Exists(ctx context.Context, read *ent.Client, organisation, id string) (bool, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return false, nil //nolint:nilerr // see above
	}
	found, err := read.OAuthClient.Query().
		Where(oauthclient.ID(parsed), oauthclient.Organisation(organisation)).
		Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("look for client: %w", err)
	}
	return found, nil
}
