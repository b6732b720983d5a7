package oauthclient

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
)

// defaultEventPage is how many events a page has unless the caller says so.
const defaultEventPage = 100

// An Event is one committed change of a client, or one release of its secret.
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

// An EventPage is a part of a client's history, the newest event first.
type EventPage struct {
	Events []*Event
	// Next is the token of the page after this one. Empty: this is the last.
	Next string
}

// Events returns what happened to a client of the caller's organisation. A
// client that never was has no events.
//
// Errors: Invalid for a page token that was not made for this client.
func (s *Store) Events(ctx context.Context, caller Caller, in EventsInput) (EventPage, error) {
	query := s.read.ClientEvent.Query().Where(
		clientevent.ClientID(in.ClientID),
		clientevent.Organisation(caller.Organisation),
	)
	if in.PageToken != "" {
		before, err := s.parseEventToken(caller, in)
		if err != nil {
			return EventPage{}, err
		}
		query.Where(clientevent.IDLT(before))
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
	next, err := s.eventToken(caller, in, rows[len(rows)-1])
	return EventPage{Events: rows, Next: next}, err
}

func (s *Store) eventToken(caller Caller, in EventsInput, last *Event) (string, error) {
	cursor := binary.BigEndian.AppendUint64(nil, uint64(last.ID)) //nolint:gosec // ids count up from 1
	sealed, err := s.keyset.SealPageToken(cursor, in.query(caller)...)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

func (s *Store) parseEventToken(caller Caller, in EventsInput) (int64, error) {
	sealed, decodeErr := base64.RawURLEncoding.Strict().DecodeString(in.PageToken)
	cursor, openErr := s.keyset.OpenPageToken(sealed, in.query(caller)...)
	if errors.Join(decodeErr, openErr) != nil || len(cursor) != 8 {
		return 0, errPageToken
	}
	return int64(binary.BigEndian.Uint64(cursor)), nil //nolint:gosec // made by eventToken
}

// query is what a page token is bound to.
func (in EventsInput) query(caller Caller) []string {
	return []string{"events", caller.Organisation, in.ClientID.String()}
}
