// Package api names the APIs that the server has and reads what all of them have
// in common: the id of a client. Each API is a package inside this folder.
//
// It must not know how an API is served.
package api

import (
	"github.com/google/uuid"

	"clientsd/server/oauthclient"
)

// The names of the APIs, on the command line, in events and in metrics.
const (
	Xeonr    = "xeonr"
	Zitadel  = "zitadel"
	Vigilo   = "vigilo"
	Clientsd = "clientsd" // always served
)

// Names returns the APIs that can be switched off.
func Names() []string { return []string{Xeonr, Zitadel, Vigilo} }

// ParseClientID reads the id of a client as a path or a message names it: the 36
// characters of RFC 9562, in upper or lower case. [uuid.Parse] alone would accept
// other spellings, among them any two characters around an id.
//
// Errors: ErrNotFound, because no client has any other id.
func ParseClientID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.UUID{}.String()) {
		return uuid.Nil, oauthclient.ErrNotFound
	}
	return id, nil
}
