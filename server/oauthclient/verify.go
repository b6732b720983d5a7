package oauthclient

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"clientsd/ent/oauthclient"
	"clientsd/server/secret"
)

// Verify says whether text is a secret of the client now, and of which version.
// A wrong secret, a client that does not exist or has no secret, and a client
// of another organisation are all NoMatch with version 0.
//
// There is no cache in front of it: a rotated secret is refused from the moment
// its rotation committed. It needs no keyset.
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
		s.notePreviousUse(ctx, id, stored)
	}
	return match, version, nil
}

// match compares with both secrets whatever the first comparison says.
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

// digests are what a client's secrets are recognised by.
type digests struct {
	current, previous []byte
	previousUntil     sql.NullTime
	previousUsed      sql.NullTime
	version           int64
}

// digestColumns are what storedDigests scans, in this order.
var digestColumns = []string{
	oauthclient.FieldSecretDigest, oauthclient.FieldSecretVersion, oauthclient.FieldPreviousSecretDigest,
	oauthclient.FieldPreviousSecretExpiresAt, oauthclient.FieldPreviousSecretLastUsedAt,
}

// storedDigests is zero for a client the caller does not see: the comparison
// goes on all the same, or who does not exist would be answered faster.
func (s *Store) storedDigests(ctx context.Context, caller Caller, id uuid.UUID) (stored digests, err error) {
	_, err = s.scanOwn(ctx, s.statements.digests, caller, id,
		&stored.current, &stored.version, &stored.previous, &stored.previousUntil, &stored.previousUsed)
	return stored, err
}
