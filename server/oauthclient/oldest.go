package oauthclient

import (
	"context"
	"time"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// OldestSecret returns when the oldest current secret of all clients was made, or
// zero if there is none. It reads every client: it is for monitoring, not for calls.
func (s *Store) OldestSecret(ctx context.Context) (time.Time, error) {
	row, err := s.read.OAuthClient.Query().
		Where(oauthclient.SecretCreatedAtNotNil()).
		Order(oauthclient.BySecretCreatedAt()).
		Select(oauthclient.FieldSecretCreatedAt).
		First(ctx)
	switch {
	case ent.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, s.toError("find oldest secret", err)
	default:
		return *row.SecretCreatedAt, nil
	}
}
