package oauthclient

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"clientsd/server/secret"
)

// A Verification is the result of Verify.
type Verification struct {
	// Match says which of the client's secrets was presented.
	Match Match
	// Version is its version. 0: it is none of them.
	Version int64
	// ClientExists reports that the caller's organisation has the client. It is for
	// the log: no answer may depend on it.
	ClientExists bool
}

// Verify reports whether text is a secret of the client now, and of which version.
// A wrong secret, a client that does not exist or has no secret, and a client
// of another organisation are all NoMatch with version 0.
//
// There is no cache in front of it: a rotated secret is refused from the moment
// its rotation is committed. It needs no keyset.
func (s *Store) Verify(ctx context.Context, caller Caller, id uuid.UUID, text string) (Verification, error) {
	stored, err := s.storedDigests(ctx, caller, id)
	if err != nil {
		return Verification{}, s.toError("verify secret", err)
	}
	v := Verification{ClientExists: stored.exists}
	if presented, err := secret.Parse(text); err == nil { // otherwise it has not the form of a secret
		v.Match, v.Version = s.match(stored, secret.DigestOf(id, presented))
	}
	s.note(caller, id, stored, v)
	return v, nil
}

// match compares with all secrets, whatever the first comparison says.
func (s *Store) match(stored digests, presented secret.Digest) (Match, int64) {
	current := presented.Matches(stored.current)
	previous := presented.Matches(stored.previous)
	ended := presented.Matches(stored.ended)
	switch {
	case current:
		return MatchCurrent, stored.version
	case previous && s.now().Before(stored.previousUntil.Time):
		return MatchPrevious, stored.version - 1
	case previous:
		return MatchEnded, stored.version - 1
	case ended:
		return MatchEnded, stored.endedVersion.Int64
	default:
		return NoMatch, 0
	}
}

// note hands to the worker what is not on record yet: that something still uses the
// previous secret in this minute, or that a secret was refused in this hour.
func (s *Store) note(caller Caller, id uuid.UUID, stored digests, v Verification) {
	last, grain, version := stored.failed, refusalGrain, stored.version
	switch v.Match {
	case MatchCurrent:
		return
	case MatchPrevious:
		last, grain = stored.previousUsed, lastUsedGrain
	case MatchEnded:
		last, version = stored.endedPresented, v.Version
	case NoMatch:
	}
	now := s.now()
	if stored.exists && (!last.Valid || now.Sub(last.Time) >= grain) {
		s.notes.add(note{noteKey: noteKey{client: id, match: v.Match}, caller: caller, version: version, at: now})
	}
}

// writeNote writes what a verification has seen.
func (s *Store) writeNote(ctx context.Context, n note) error {
	if n.match == MatchPrevious {
		return s.recordPreviousUse(ctx, n)
	}
	return s.recordRefusal(ctx, n)
}

// digests recognise a client's secrets.
type digests struct {
	exists                   bool
	current, previous, ended []byte
	version                  int64
	endedVersion             sql.NullInt64
	previousUntil            sql.NullTime
	previousUsed             sql.NullTime
	endedPresented           sql.NullTime // when an event about it was due last
	failed                   sql.NullTime // when an event about wrong secrets was due last
}

// digestsSQL reads them. It is SQL because every verification runs it.
const digestsSQL = `
SELECT secret_digest, secret_version, previous_secret_digest, previous_secret_expires_at, previous_secret_last_used_at,
	ended_digest, ended_version, ended_presented_at, verification_failed_at
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
	if stored.exists = rows.Next(); stored.exists {
		err = rows.Scan(&stored.current, &stored.version, &stored.previous, &stored.previousUntil, &stored.previousUsed,
			&stored.ended, &stored.endedVersion, &stored.endedPresented, &stored.failed)
	}
	return stored, errors.Join(err, rows.Err())
}
