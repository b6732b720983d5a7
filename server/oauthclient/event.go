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

// eventColumns are what record writes, in this order.
func eventColumns() []string {
	return []string{
		clientevent.FieldClientID, clientevent.FieldOrganisation, clientevent.FieldKind, clientevent.FieldAt,
		clientevent.FieldSecretVersion, clientevent.FieldSecretReleased,
		clientevent.FieldActorIssuer, clientevent.FieldActorSubject, clientevent.FieldActorClientID, clientevent.FieldActorOrganisation,
		clientevent.FieldRequestID, clientevent.FieldAddress, clientevent.FieldAPI, clientevent.FieldReason,
	}
}

// record writes the event of a change into the change's own transaction: no
// change without its event, no event without its change. The row is the client
// as the change leaves it.
func (s *Store) record(ctx context.Context, tx *ent.Tx, caller Caller, row *Client, e event) error {
	_, err := tx.ExecContext(ctx, s.statements.event,
		row.ID, row.Organisation, string(e.kind), s.now(),
		row.SecretVersion, e.released,
		caller.Issuer, caller.Subject, caller.ClientID, caller.Home,
		caller.RequestID, caller.Address, caller.API, e.reason,
	)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return nil
}
