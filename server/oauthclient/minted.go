package oauthclient

import (
	"context"
	"time"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/server/tx"
)

// A MintedToken is an access token that an operator has minted.
type MintedToken struct {
	// At is when.
	At time.Time
	// Operator is the user of the operating system, and Host the machine.
	Operator, Host string
	// Organisation is the one that the token belongs to.
	Organisation string
	// Grant says what it allows, and whom. It holds no part of the token.
	Grant string
}

// RecordToken writes the event of a minted token. It is about no client, so that
// Events never returns it.
func RecordToken(ctx context.Context, transact tx.Transactor, minted MintedToken) error {
	e := event{
		kind:         clientevent.KindTokenMinted,
		caller:       Caller{Issuer: "clientsd token", Subject: minted.Operator, Address: minted.Host, API: "clientsd"},
		organisation: minted.Organisation,
		reason:       minted.Grant,
	}
	return transact(ctx, func(ctx context.Context, tx *ent.Tx) error {
		return e.write(ctx, tx, minted.At.UTC().Truncate(time.Microsecond))
	})
}
