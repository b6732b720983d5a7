package rollback

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

const (
	// firstClients is how many clients an Error tells of.
	firstClients = 20
	// listBatch is how many clients List reads at once.
	listBatch = 500
)

// List calls each with every client that has a secret, in the order of their
// ids: those whose secret may have been rotated since the backup. It stops at
// the first error of each, and returns that.
func List(ctx context.Context, db *ent.Client, each func(*Client) error) error {
	for after := (uuid.UUID{}); ; {
		rows, err := page(ctx, db, after, listBatch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := each(row); err != nil {
				return err
			}
		}
		if len(rows) < listBatch {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// page reads the clients that come after one. It names its columns: those of an
// older schema have to do.
func page(ctx context.Context, db *ent.Client, after uuid.UUID, size int) ([]*Client, error) {
	rows, err := db.OAuthClient.Query().
		Where(oauthclient.HasSecret(true), oauthclient.IDGT(after)).
		Order(oauthclient.ByID()).
		Limit(size).
		Select(oauthclient.FieldName, oauthclient.FieldOrganisation, oauthclient.FieldSecretVersion, oauthclient.FieldSecretCreatedAt).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return rows, nil
}
