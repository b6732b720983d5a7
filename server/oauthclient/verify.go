package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
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
	row, err := s.read.OAuthClient.Query().
		Where(visible(caller, id)).
		Select(oauthclient.FieldSecretDigest, oauthclient.FieldSecretVersion,
			oauthclient.FieldPreviousSecretDigest, oauthclient.FieldPreviousSecretExpiresAt).
		Only(ctx)
	if ent.IsNotFound(err) {
		row = &Client{} // compare all the same: who does not exist must not answer faster
	} else if err != nil {
		return NoMatch, 0, fromEnt("verify secret", err)
	}
	match, version := s.match(row, secret.DigestOf(id, presented))
	return match, version, nil
}

// match compares with both secrets whatever the first comparison says.
func (s *Store) match(row *Client, presented secret.Digest) (Match, int64) {
	current := presented.Matches(row.SecretDigest)
	previous := presented.Matches(row.PreviousSecretDigest)
	switch {
	case current:
		return MatchCurrent, row.SecretVersion
	case previous && row.PreviousSecretExpiresAt != nil && s.now().Before(*row.PreviousSecretExpiresAt):
		return MatchPrevious, row.SecretVersion - 1
	default:
		return NoMatch, 0
	}
}
