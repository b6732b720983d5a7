package oauthclient

import (
	"context"
	"errors"
	"time"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
)

// Totals counts what the database holds, over all organisations.
type Totals struct {
	// Clients is how many clients there are.
	Clients int64
	// LargestOrganisation is how many clients the organisation with the most has.
	LargestOrganisation int64
	// ConfigBytes is the size of the JSON in the bindings of all clients.
	ConfigBytes int64
	// OldestSecret is when the oldest current secret was created. Zero: there is none.
	OldestSecret time.Time
}

// totalsSQL casts its sums, whose type is another one on each database.
const totalsSQL = `
SELECT CAST(COALESCE(SUM(clients), 0) AS BIGINT), CAST(COALESCE(MAX(clients), 0) AS BIGINT), CAST(COALESCE(SUM(bytes), 0) AS BIGINT)
FROM (
	SELECT COUNT(*) AS clients, SUM(octet_length(CAST(application_bindings AS TEXT))) AS bytes
	FROM oauth_clients GROUP BY organisation
) AS organisations`

// Totals reads every client: it is for monitoring, not for calls.
func (s *Store) Totals(ctx context.Context) (Totals, error) {
	totals, err := s.count(ctx)
	if err != nil {
		return Totals{}, s.toError("count clients", err)
	}
	totals.OldestSecret, err = s.oldestSecret(ctx)
	return totals, err
}

func (s *Store) count(ctx context.Context) (totals Totals, err error) {
	rows, err := s.read.QueryContext(ctx, totalsSQL)
	if err != nil {
		return Totals{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		err = rows.Scan(&totals.Clients, &totals.LargestOrganisation, &totals.ConfigBytes)
	}
	return totals, errors.Join(err, rows.Err())
}

// oldestSecret returns when the oldest current secret of all clients was created, or
// zero if there is none.
func (s *Store) oldestSecret(ctx context.Context) (time.Time, error) {
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
