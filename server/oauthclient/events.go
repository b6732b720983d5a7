package oauthclient

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
)

const (
	// defaultEventPage is how many events a page has unless the caller says so.
	defaultEventPage = 100
	// eventCursorSize is the id of an event.
	eventCursorSize = 8
)

// An Event is one committed change of a client, one release of its secret, or a
// secret that was refused.
type Event = ent.ClientEvent

// EventsInput selects the events of a client.
type EventsInput struct {
	// ClientID is the client, also one that was deleted.
	ClientID uuid.UUID
	// PageSize bounds the page. 0: 100.
	PageSize int
	// PageToken is the Next of the page before. Empty: the first page.
	PageToken string
}

// event is an Event before it is written.
type event struct {
	kind         clientevent.Kind
	caller       Caller
	client       *uuid.UUID // nil: it is about no client
	organisation string
	version      int64  // of the secret
	released     bool   // whether the answer carries the secret
	refused      bool   // whether a secret was refused
	reason       string // as the caller gave it
	issued       []byte // the lookup of the secret that it issues; nil: none
}

// write writes an event.
func (e event) write(ctx context.Context, tx *ent.Tx, at time.Time) error {
	_, err := tx.ExecContext(ctx, eventSQL,
		e.client, e.organisation, string(e.kind), at, e.version, e.released, e.reason,
		e.caller.Issuer, e.caller.Subject, e.caller.ClientID, e.caller.TokenOrganisation, e.caller.RequestID, e.caller.Address, e.caller.API,
		e.issued, e.refused,
	)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return nil
}

// record writes an event in the transaction of its change: there is no change
// without its event and no event without its change. The row is the client as the
// change leaves it.
func (s *Store) record(ctx context.Context, tx *unit, caller Caller, row *Client, e event) error {
	e = e.of(caller, row)
	tx.recorded = append(tx.recorded, e)
	return e.write(ctx, tx.Tx, s.now())
}

// of returns the event of a call that leaves the client so.
func (e event) of(caller Caller, row *Client) event {
	e.caller, e.client, e.organisation, e.version = caller, &row.ID, row.Organisation, row.SecretVersion
	return e
}

// logEvent logs an event that is committed, without the caller's reason, which may
// be any text.
func (s *Store) logEvent(ctx context.Context, e event) {
	s.log.InfoContext(ctx, "client event", "kind", e.kind, "client", e.client, "secret_version", e.version, "secret_released", e.released,
		"issuer", e.caller.Issuer, "subject", e.caller.Subject, "organisation", e.organisation, "address", e.caller.Address, "api", e.caller.API)
}

// An EventPage is a part of a client's history, the newest event first.
type EventPage struct {
	Events []*Event
	// Next is the token of the page after this one. Empty: this is the last.
	Next string
}

// Events returns what happened to a client of the caller's organisation. A
// client that never was has no events.
//
// Errors: Invalid for a page token that belongs to another query.
func (s *Store) Events(ctx context.Context, caller Caller, in EventsInput) (EventPage, error) {
	query := s.read.ClientEvent.Query().Where(
		clientevent.ClientID(in.ClientID),
		clientevent.Organisation(caller.Organisation),
	)
	if in.PageToken != "" {
		cursor, err := s.openPageToken(ctx, in.PageToken, eventCursorSize, in.boundTo(caller))
		if err != nil {
			return EventPage{}, err
		}
		query.Where(clientevent.IDLT(int64(binary.BigEndian.Uint64(cursor)))) //nolint:gosec // made below
	}
	if in.PageSize == 0 {
		in.PageSize = defaultEventPage
	}
	rows, err := query.Order(clientevent.ByID(sql.OrderDesc())).Limit(in.PageSize + 1).All(ctx)
	if err != nil {
		return EventPage{}, s.toError("list events", err)
	}
	if len(rows) <= in.PageSize {
		return EventPage{Events: rows}, nil
	}
	rows = rows[:in.PageSize]
	cursor := binary.BigEndian.AppendUint64(nil, uint64(rows[len(rows)-1].ID)) //nolint:gosec // ids count up from 1
	next, err := s.pageToken(ctx, cursor, in.boundTo(caller))
	return EventPage{Events: rows, Next: next}, err
}

// boundTo returns what the page tokens of the query are bound to.
func (in EventsInput) boundTo(caller Caller) []string {
	return []string{"events", caller.Organisation, in.ClientID.String()}
}
