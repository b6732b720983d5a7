package oauthclient

import (
	"context"
	"time"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/oauthclient"
)

const (
	// refusalGrain is the time over which the secrets that are refused for one client
	// are one event: one for wrong secrets, and one for the secret that has ended.
	refusalGrain = time.Hour
	// maxRefusals bounds these events for one organisation in a refusalWindow.
	maxRefusals   = 1000
	refusalWindow = 24 * time.Hour
)

// recordRefusal writes the event of a refused secret, if one is due for the client
// and the organisation has not had too many. The UPDATE decides whether it is due,
// so that one of several servers writes it. Replicas that count at the same moment
// may exceed the bound by their number.
func (s *Store) recordRefusal(ctx context.Context, n note) error {
	return s.inTx(ctx, "record refused secret", func(ctx context.Context, tx *unit) error {
		now := s.now()
		kind, update := n.refusal(tx, now)
		if due, err := update.Save(ctx); err != nil || due == 0 {
			return err
		}
		organisation := n.caller.Organisation
		recent, err := tx.ClientEvent.Query().
			Where(clientevent.Organisation(organisation), clientevent.SecretRefused(true), clientevent.AtGT(now.Add(-refusalWindow))).
			Count(ctx)
		if err != nil || recent >= maxRefusals {
			return err
		}
		refused := event{kind: kind, caller: n.caller, client: &n.client, organisation: organisation, version: n.version, refused: true}
		return refused.write(ctx, tx.Tx, n.at)
	})
}

// refusal returns the kind of event, and the statement that changes the client if
// one is due.
func (n note) refusal(tx *unit, now time.Time) (clientevent.Kind, *ent.OAuthClientUpdate) {
	update := tx.OAuthClient.Update().Where(visible(n.caller, n.client))
	before := now.Add(-refusalGrain)
	if n.match == MatchEnded {
		return clientevent.KindEndedSecretPresented, update.
			Where(oauthclient.Or(oauthclient.EndedPresentedAtIsNil(), oauthclient.EndedPresentedAtLTE(before))).
			SetEndedPresentedAt(now)
	}
	return clientevent.KindVerificationFailures, update.
		Where(oauthclient.Or(oauthclient.VerificationFailedAtIsNil(), oauthclient.VerificationFailedAtLTE(before))).
		SetVerificationFailedAt(now)
}
