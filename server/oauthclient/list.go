package oauthclient

import (
	"context"
	"encoding/binary"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent/oauthclient"
	"clientsd/ent/predicate"
)

// ListInput selects clients of the caller's organisation.
type ListInput struct {
	// ApplicationID selects the clients it owns. Empty: all.
	ApplicationID string
	// PageSize bounds the page. 0: everything in one page.
	PageSize int
	// PageToken is the Next of the page before. Empty: the first page.
	PageToken string
}

// A Page is part of a list, in the order of creation.
type Page struct {
	Clients []*Client
	// Next is the token of the page after this one. Empty: this is the last.
	Next string
}

// List returns clients, the oldest first. Its order is stable: a client that is
// created while a caller turns pages moves no other client to another page.
//
// Errors: Invalid for a page token that belongs to another organisation or
// selection.
func (s *Store) List(ctx context.Context, caller Caller, in ListInput) (Page, error) {
	selection, err := s.selection(ctx, caller, in)
	if err != nil {
		return Page{}, err
	}
	query := s.read.OAuthClient.Query().Where(selection...).
		Order(oauthclient.ByCreatedAt(), oauthclient.ByID())
	if in.PageSize > 0 {
		query.Limit(in.PageSize + 1) // one more shows whether there is a next page
	}
	rows, err := query.All(ctx)
	if err != nil {
		return Page{}, s.toError("list clients", err)
	}
	if in.PageSize == 0 || len(rows) <= in.PageSize {
		return Page{Clients: rows}, nil
	}
	rows = rows[:in.PageSize]
	next, err := s.pageToken(ctx, cursorOf(rows[len(rows)-1]), in.boundTo(caller))
	return Page{Clients: rows, Next: next}, err
}

func (s *Store) selection(ctx context.Context, caller Caller, in ListInput) ([]predicate.OAuthClient, error) {
	selection := []predicate.OAuthClient{oauthclient.Organisation(caller.Organisation)}
	if in.ApplicationID != "" {
		selection = append(selection, oauthclient.ApplicationID(in.ApplicationID))
	}
	if in.PageToken == "" {
		return selection, nil
	}
	cursor, err := s.openPageToken(ctx, in.PageToken, listCursorSize, in.boundTo(caller))
	if err != nil {
		return nil, err
	}
	return append(selection, afterCursor(cursor)), nil
}

// boundTo returns what the page tokens of the query are bound to.
func (in ListInput) boundTo(caller Caller) []string {
	return []string{caller.Organisation, in.ApplicationID}
}

// listCursorSize is a time in microseconds and a client id.
const listCursorSize = 8 + 16

// cursorOf names the last client of a page.
func cursorOf(last *Client) []byte {
	cursor := binary.BigEndian.AppendUint64(nil, uint64(last.CreatedAt.UnixMicro()))
	return append(cursor, last.ID[:]...)
}

// afterCursor selects what follows a client in the order of a list.
func afterCursor(cursor []byte) predicate.OAuthClient {
	created := time.UnixMicro(int64(binary.BigEndian.Uint64(cursor))).UTC() //nolint:gosec // made by cursorOf
	id := uuid.UUID(cursor[8:])
	return func(s *sql.Selector) {
		s.Where(sql.CompositeGT(s.Columns(oauthclient.FieldCreatedAt, oauthclient.FieldID), created, id))
	}
}
