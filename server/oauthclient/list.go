package oauthclient

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
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

// A Page is a part of a list, in the order of creation.
type Page struct {
	Clients []*Client
	// Next is the token of the page after this one. Empty: this is the last.
	Next string
}

// List returns clients, the oldest first. Its order is stable: a client that is
// made while a caller turns pages moves no other to another page.
//
// Errors: Invalid for a page token that was not made for this organisation and
// selection.
func (s *Store) List(ctx context.Context, caller Caller, in ListInput) (Page, error) {
	selection, err := s.selection(caller, in)
	if err != nil {
		return Page{}, err
	}
	query := s.read.OAuthClient.Query().Where(selection...).
		Order(oauthclient.ByCreatedAt(), oauthclient.ByID())
	if in.PageSize > 0 {
		query.Limit(in.PageSize + 1) // one more tells whether there is a next page
	}
	rows, err := query.All(ctx)
	if err != nil {
		return Page{}, s.toError("list clients", err)
	}
	if in.PageSize == 0 || len(rows) <= in.PageSize {
		return Page{Clients: rows}, nil
	}
	rows = rows[:in.PageSize]
	next, err := s.pageToken(caller, in, rows[len(rows)-1])
	return Page{Clients: rows, Next: next}, err
}

func (s *Store) selection(caller Caller, in ListInput) ([]predicate.OAuthClient, error) {
	selection := []predicate.OAuthClient{oauthclient.Organisation(caller.Organisation)}
	if in.ApplicationID != "" {
		selection = append(selection, oauthclient.ApplicationID(in.ApplicationID))
	}
	if in.PageToken == "" {
		return selection, nil
	}
	after, err := s.parsePageToken(caller, in)
	return append(selection, after), err
}

// errPageToken answers a token that was not made for the query, or not by us.
var errPageToken = NewInvalid(Violation{
	Field:   "page_token",
	Rule:    "page_token",
	Message: "must be a nextPageToken of the same query",
})

// cursorSize is a time in microseconds and a client id.
const cursorSize = 8 + 16

// pageToken names the last client of a page, sealed: a caller can neither make
// a token nor take one to another organisation or another selection.
func (s *Store) pageToken(caller Caller, in ListInput, last *Client) (string, error) {
	cursor := binary.BigEndian.AppendUint64(nil, uint64(last.CreatedAt.UnixMicro()))
	cursor = append(cursor, last.ID[:]...)
	sealed, err := s.keyset.SealPageToken(cursor, caller.Organisation, in.ApplicationID)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// parsePageToken is the selection of what comes after the named client.
func (s *Store) parsePageToken(caller Caller, in ListInput) (predicate.OAuthClient, error) {
	sealed, decodeErr := base64.RawURLEncoding.Strict().DecodeString(in.PageToken)
	cursor, openErr := s.keyset.OpenPageToken(sealed, caller.Organisation, in.ApplicationID)
	if errors.Join(decodeErr, openErr) != nil || len(cursor) != cursorSize {
		return nil, errPageToken
	}
	created := time.UnixMicro(int64(binary.BigEndian.Uint64(cursor))).UTC() //nolint:gosec // made by pageToken
	return after(created, uuid.UUID(cursor[8:])), nil
}

// after selects what follows a client in the order of a list.
func after(created time.Time, id uuid.UUID) predicate.OAuthClient {
	return func(s *sql.Selector) {
		s.Where(sql.CompositeGT(s.Columns(oauthclient.FieldCreatedAt, oauthclient.FieldID), created, id))
	}
}
