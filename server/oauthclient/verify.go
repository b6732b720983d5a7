package oauthclient

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"clientsd/server/secret"
)

// Verify reports whether text is a secret of the client now, and of which version.
// A wrong secret, a client that does not exist or has no secret, and a client
// of another organisation are all NoMatch with version 0.
//
// There is no cache in front of it: a rotated secret is refused from the moment
// its rotation is committed. It needs no keyset.
func (s *Store) Verify(ctx context.Context, caller Caller, id uuid.UUID, text string) (Match, int64, error) {
	presented, err := secret.Parse(text)
	if err != nil {
		return NoMatch, 0, nil //nolint:nilerr // not the form of a secret, so not the secret
	}
	stored, err := s.storedDigests(ctx, caller, id)
	if err != nil {
		return NoMatch, 0, s.toError("verify secret", err)
	}
	match, version := s.match(stored, secret.DigestOf(id, presented))
	if match == MatchPrevious {
		s.notePreviousUse(id, stored)
	}
	return match, version, nil
}

// match compares with both secrets, whatever the first comparison says.
func (s *Store) match(stored digests, presented secret.Digest) (Match, int64) {
	current := presented.Matches(stored.current)
	previous := presented.Matches(stored.previous)
	switch {
	case current:
		return MatchCurrent, stored.version
	case previous && s.now().Before(stored.previousUntil.Time):
		return MatchPrevious, stored.version - 1
	default:
		return NoMatch, 0
	}
}

// notePreviousUse records that somebody still uses the previous secret, unless that
// is on record for this minute.
func (s *Store) notePreviousUse(id uuid.UUID, stored digests) {
	now := s.now()
	if !stored.previousUsed.Valid || now.Sub(stored.previousUsed.Time) >= lastUsedGrain {
		s.previousUses.add(id, previousUse{version: stored.version, at: now})
	}
}

// digests recognise a client's secrets.
type digests struct {
	current, previous []byte
	previousUntil     sql.NullTime
	previousUsed      sql.NullTime
	version           int64
}

// digestsSQL reads them. It is SQL because every verification runs it.
const digestsSQL = `
SELECT secret_digest, secret_version, previous_secret_digest, previous_secret_expires_at, previous_secret_last_used_at
FROM oauth_clients WHERE id = $1 AND organisation = $2`

// storedDigests returns zero for a client the caller does not see: the comparison
// goes on all the same, or the answer about a client that does not exist would be
// faster.
func (s *Store) storedDigests(ctx context.Context, caller Caller, id uuid.UUID) (stored digests, err error) {
	rows, err := s.read.QueryContext(ctx, digestsSQL, id, caller.Organisation)
	if err != nil {
		return digests{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		err = rows.Scan(&stored.current, &stored.version, &stored.previous, &stored.previousUntil, &stored.previousUsed)
	}
	return stored, errors.Join(err, rows.Err())
}
