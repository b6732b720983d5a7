package oauthclient

import (
	"context"
	"fmt"

	"clientsd/ent"
	"clientsd/ent/clientevent"
)

// event is one committed change of a client, or one release of its secret.
type event struct {
	kind     clientevent.Kind
	released bool   // whether the answer carries the secret
	reason   string // as the caller gave it
}

// record writes the event of a change into the change's own transaction: no
// change without its event, no event without its change. The row is the client
// as the change leaves it.
func (s *Store) record(ctx context.Context, tx *ent.Tx, caller Caller, row *Client, e event) error {
	err := tx.ClientEvent.Create().
		SetClientID(row.ID).
		SetOrganisation(row.Organisation).
		SetKind(e.kind).
		SetAt(s.now()).
		SetSecretVersion(row.SecretVersion).
		SetSecretReleased(e.released).
		SetActorIssuer(caller.Issuer).
		SetActorSubject(caller.Subject).
		SetActorClientID(caller.ClientID).
		SetActorOrganisation(caller.Home).
		SetRequestID(caller.RequestID).
		SetAddress(caller.Address).
		SetFace(caller.Face).
		SetReason(e.reason).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return nil
}
