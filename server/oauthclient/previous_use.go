package oauthclient

import (
	"context"
	"time"

	"clientsd/ent/oauthclient"
)

// lastUsedGrain is the precision of the last use of a previous secret. A client that
// goes on using it costs one write in that time.
const lastUsedGrain = time.Minute

// recordPreviousUse writes one use, unless the client has been rotated again.
func (s *Store) recordPreviousUse(ctx context.Context, n note) error {
	return s.inTx(ctx, "record use of previous secret", func(ctx context.Context, tx *unit) error {
		return tx.OAuthClient.Update().
			Where(oauthclient.ID(n.client), oauthclient.SecretVersion(n.version), oauthclient.PreviousSecretExpiresAtNotNil()).
			SetPreviousSecretLastUsedAt(n.at.Truncate(lastUsedGrain)).
			Exec(ctx)
	})
}
