package oauthclient

import (
	"context"
	"time"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/idempotencykey"
	"clientsd/ent/oauthclient"
	"clientsd/server/retention"
)

// eventWalkInterval is how often all old events are looked at. In between only those
// are that have grown old since.
const eventWalkInterval = 24 * time.Hour

// ExpiredKeys finds the idempotency keys whose calls can no longer be repeated. No
// call needs their removal: a key that is used again replaces its row.
func (s *Store) ExpiredKeys() retention.Rule {
	return retention.Rule{Table: idempotencykey.Table, Find: s.findExpiredKeys}
}

func (s *Store) findExpiredKeys(ctx context.Context, limit int) (retention.Batch, error) {
	rows, err := s.read.IdempotencyKey.Query().
		Order(idempotencykey.ByCreatedAt()).
		Limit(limit).
		Select(idempotencykey.FieldID, idempotencykey.FieldCreatedAt).
		All(ctx)
	if err != nil || len(rows) == 0 {
		return retention.Batch{}, s.toError("find expired idempotency keys", err)
	}
	oldest := s.oldestKey()
	var ids []int
	for _, row := range rows {
		if row.CreatedAt.Before(oldest) {
			ids = append(ids, row.ID)
		}
	}
	if len(ids) == 0 {
		return retention.Batch{}, nil
	}
	return retention.Batch{
		// A call may have replaced one of the rows meanwhile.
		Delete: func(ctx context.Context, tx *ent.Tx) (int, error) {
			return tx.IdempotencyKey.Delete().Where(idempotencykey.IDIn(ids...), idempotencykey.CreatedAtLT(oldest)).Exec(ctx)
		},
		More: len(ids) == limit,
		Lag:  oldest.Sub(rows[0].CreatedAt),
	}, nil
}

// OldEvents finds the events that are older than keep. Of a client that exists it
// leaves those that issued the current secret and the one before: without them nobody
// could find out whose a secret is that is still valid, or who received it.
func (s *Store) OldEvents(keep time.Duration) retention.Rule {
	return retention.Rule{Table: clientevent.Table, Find: (&eventWalk{store: s, keep: keep}).find}
}

// An eventWalk goes through the events in the order of their ids, which is about the
// order of time. So it needs no index on the time, which every rotation would have
// to write.
type eventWalk struct {
	store *Store
	keep  time.Duration
	begun time.Time
	// after is the id of the last event that was looked at.
	after int64
}

func (w *eventWalk) find(ctx context.Context, limit int) (retention.Batch, error) {
	now := w.store.now()
	if now.Sub(w.begun) >= eventWalkInterval {
		w.begun, w.after = now, 0
	}
	oldest := now.Add(-w.keep)
	rows, err := w.store.read.ClientEvent.Query().
		Where(clientevent.IDGT(w.after)).
		Order(clientevent.ByID()).
		Limit(limit).
		Select(clientevent.FieldID, clientevent.FieldClientID, clientevent.FieldKind, clientevent.FieldAt, clientevent.FieldSecretVersion).
		All(ctx)
	if err != nil {
		return retention.Batch{}, w.store.toError("find old events", err)
	}
	old := withoutYoungEnd(rows, oldest)
	if len(old) == 0 {
		return retention.Batch{}, nil
	}
	ids, lag, err := w.unneeded(ctx, old, oldest)
	if err != nil {
		return retention.Batch{}, w.store.toError("find clients of old events", err)
	}
	last, more := old[len(old)-1].ID, len(old) == limit
	if len(ids) == 0 {
		w.after = last
		return retention.Batch{More: more}, nil
	}
	return retention.Batch{
		Delete: func(ctx context.Context, tx *ent.Tx) (int, error) {
			deleted, err := tx.ClientEvent.Delete().Where(clientevent.IDIn(ids...)).Exec(ctx)
			if err == nil {
				w.after = last
			}
			return deleted, err
		},
		More: more,
		Lag:  lag,
	}, nil
}

// withoutYoungEnd returns events up to the last one that is old. A clock that was
// wrong for a moment leaves young ones between them.
func withoutYoungEnd(events []*Event, oldest time.Time) []*Event {
	for len(events) > 0 && !events[len(events)-1].At.Before(oldest) {
		events = events[:len(events)-1]
	}
	return events
}

// unneeded returns the ids of old events that may go, and for how long the first of
// them was too old.
func (w *eventWalk) unneeded(ctx context.Context, events []*Event, oldest time.Time) (ids []int64, lag time.Duration, err error) {
	clients, err := w.issuedTo(ctx, events)
	if err != nil {
		return nil, 0, err
	}
	for _, event := range events {
		if !event.At.Before(oldest) || issuesSecret(event) && isRecent(event, clients[*event.ClientID]) {
			continue
		}
		ids, lag = append(ids, event.ID), max(lag, oldest.Sub(event.At))
	}
	return ids, lag, nil
}

// issuedTo returns the clients that still exist of the events that issued a secret.
func (w *eventWalk) issuedTo(ctx context.Context, events []*Event) (map[uuid.UUID]*Client, error) {
	var ids []uuid.UUID
	for _, event := range events {
		if issuesSecret(event) {
			ids = append(ids, *event.ClientID)
		}
	}
	rows, err := w.store.read.OAuthClient.Query().
		Where(oauthclient.IDIn(ids...)).
		Select(oauthclient.FieldID, oauthclient.FieldSecretVersion, oauthclient.FieldSecretCreatedAt).
		All(ctx)
	clients := make(map[uuid.UUID]*Client, len(rows))
	for _, row := range rows {
		clients[row.ID] = row
	}
	return clients, err
}

// issuesSecret reports whether an event issued a secret: such an event has a client.
func issuesSecret(event *Event) bool {
	return event.SecretVersion > 0 && (event.Kind == clientevent.KindCreated || event.Kind == clientevent.KindSecretRotated)
}

// isRecent reports whether an event issued the current secret of a client, or the
// one before. The version alone does not tell: it jumps when a restored database is
// accepted.
func isRecent(event *Event, client *Client) bool {
	return client != nil && (event.SecretVersion >= client.SecretVersion-1 || !event.At.Before(*client.SecretCreatedAt))
}
