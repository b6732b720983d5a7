package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/secret"
)

// A FoundSecret says what a secret was issued for.
type FoundSecret struct {
	// ClientID is the client. It may be deleted.
	ClientID uuid.UUID
	// Version is the version of the secret.
	Version int64
	// Match says which of the client's secrets it is now. Never NoMatch.
	Match Match
}

// FindSecret returns the client of the caller's organisation that a secret was
// issued for. It finds the event that issued the secret, so also one that has ended
// long ago, but none that was issued before events carried lookups.
//
// Errors: ErrSecretNotFound; Invalid for a text that is no secret.
func (s *Store) FindSecret(ctx context.Context, caller Caller, text string) (FoundSecret, error) {
	presented, err := secret.Parse(text)
	if err != nil {
		return FoundSecret{}, NewInvalid(Violation{
			Field:   "secret",
			Rule:    "secret.form",
			Message: "must be a whole secret of this service, with its prefix and its end: the checksum in it is wrong or missing",
		})
	}
	issued, err := s.read.ClientEvent.Query().
		Where(clientevent.SecretLookup(secret.LookupOf(presented)), clientevent.Organisation(caller.Organisation), clientevent.ClientIDNotNil()).
		First(ctx)
	if ent.IsNotFound(err) {
		return FoundSecret{}, ErrSecretNotFound
	}
	if err != nil {
		return FoundSecret{}, s.toError("find secret", err)
	}
	found := FoundSecret{ClientID: *issued.ClientID}
	stored, err := s.storedDigests(ctx, caller, found.ClientID)
	if err != nil {
		return FoundSecret{}, s.toError("find secret", err)
	}
	found.Match, found.Version = s.match(stored, secret.DigestOf(found.ClientID, presented))
	if found.Match == NoMatch {
		found.Match, found.Version = MatchEnded, issued.SecretVersion
	}
	return found, nil
}
