package storage

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/ent/predicate"
)

// A RestoredClient is a client whose secret may have been rotated since a backup.
// Only its id, name, organisation, secret version and the time its secret was
// created are set.
type RestoredClient = ent.OAuthClient

// RestoredClients reads the clients that have a secret, as ClientPages does.
func RestoredClients(ctx context.Context, db *ent.Client, size int) iter.Seq2[[]*RestoredClient, error] {
	columns := []string{oauthclient.FieldName, oauthclient.FieldOrganisation, oauthclient.FieldSecretVersion, oauthclient.FieldSecretCreatedAt}
	return ClientPages(ctx, db, size, columns, oauthclient.HasSecret(true))
}

// ClientPages reads all clients in the order of their ids, so many in a query. It
// reads only the id and the named columns, which an older schema must have too. It
// stops after the first error.
//
// Others may write between two pages: a client that is created meanwhile may be
// missing.
func ClientPages(ctx context.Context, db *ent.Client, size int, columns []string, where ...predicate.OAuthClient) iter.Seq2[[]*ent.OAuthClient, error] {
	return func(yield func([]*ent.OAuthClient, error) bool) {
		for after, more := (uuid.UUID{}), true; more; {
			page, err := db.OAuthClient.Query().
				Where(where...).
				Where(oauthclient.IDGT(after)).
				Order(oauthclient.ByID()).
				Limit(size).
				Select(columns...).
				All(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("list clients: %w", err))
				return
			}
			if len(page) == 0 {
				return
			}
			after, more = page[len(page)-1].ID, len(page) == size
			if !yield(page, nil) { // which owns the page
				return
			}
		}
	}
}
