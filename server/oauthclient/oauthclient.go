// Package oauthclient keeps OAuth clients and rotates their secrets: the domain.
// Every API writes clients through it. Two commands of the operator write them
// without it: the one that seals secrets with another key, and the one that accepts
// a restored database.
//
// It must not know the wire: no connect, no generated message and no net/http. It
// stores through ent and leaves plaintext to server/secret.
package oauthclient

import (
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/schema"
	"clientsd/server/secret"
)

// A Client is one registered client as it is stored. Its secret is on it only
// as a digest and sealed; see [Record].
type Client = ent.OAuthClient

// A Binding is one API that is enabled for a client.
type Binding = schema.Binding

// A Caller says who calls and from where. It goes into the event of every change.
type Caller struct {
	// Organisation bounds what the caller sees and changes: a client of another
	// one does not exist.
	Organisation string
	// TokenOrganisation is the organisation that the access token names. It differs
	// from Organisation only for an admin who acts in another one.
	TokenOrganisation string
	// Issuer and Subject are the iss and sub of the access token.
	Issuer, Subject string
	// ClientID is the client the token was issued to. Empty: the token names none.
	ClientID string
	// Admin may verify clients.
	Admin bool
	// RequestID, Address and API say which call this is: its id, the remote
	// address and the service it came through.
	RequestID, Address, API string
}

// In returns the caller acting in another organisation, which only an admin may.
func (c Caller) In(organisation string) Caller {
	c.Organisation = organisation
	return c
}

// A Record is a client and, if that was asked for and allowed, its secret.
type Record struct {
	*Client

	// Secret is zero unless the answer carries it.
	Secret secret.Secret
}

// A Match says which of a client's secrets was presented.
type Match int

const (
	// NoMatch reports a wrong secret, or a client that does not exist or has none.
	NoMatch Match = iota
	// MatchCurrent reports the newest secret.
	MatchCurrent
	// MatchPrevious reports the secret before that, while it is still valid.
	MatchPrevious
	// MatchEnded reports the secret that ended last. It is as invalid as any other.
	MatchEnded
)

// Valid reports whether the secret is valid. Whatever is no valid match is not.
func (m Match) Valid() bool { return m == MatchCurrent || m == MatchPrevious }

// A Logo names the image of a client.
type Logo struct {
	// ClientID is the client it belongs to.
	ClientID uuid.UUID
	// Hash is the name of the image in its URL; it changes with the image.
	Hash string
}

// now returns the time that goes into the database: UTC, in microseconds, which
// every database we run on can hold.
func (s *Store) now() time.Time {
	return s.clock().UTC().Truncate(time.Microsecond)
}
