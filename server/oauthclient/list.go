package oauthclient

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/oauthclient"
	"clientsd/ent/predicate"
)

// ListInput selects clients of the caller's organisation.
type ListInput struct {
	// ApplicationID selects the clients it owns. Empty: all.
	ApplicationID string
	// PageSize bounds the page. 0: everything in one page, or nothing if that is too
	// large.
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

// weightSQL estimates the memory that a client takes until it is answered, in bytes.
// What JSON takes depends on how many values and objects it has: each is counted by
// the character in front of it.
func weightSQL(*sql.Selector) string {
	return strings.Join([]string{
		"1000",
		"octet_length(CAST(allowed_delegators AS TEXT))",
		"octet_length(CAST(post_logout_redirect_uris AS TEXT))",
		"3 * octet_length(" + configsSQL + ")",
		"100 * " + countSQL(","),
		"100 * " + countSQL("["),
		"700 * " + countSQL("{"),
	}, " + ")
}

// countSQL counts a character in the configurations of a client.
func countSQL(character string) string {
	return "(octet_length(" + configsSQL + ") - octet_length(replace(" + configsSQL + ", '" + character + "', '')))"
}

const (
	configsSQL = "CAST(application_bindings AS TEXT)"
	// maxListWeight bounds a page: it ends before a client that would exceed this.
	maxListWeight = 48 << 20
	// largeListWeight is the weight from which a list is large.
	largeListWeight = 8 << 20

	// reasonPageSize is the reason of a list that is too large for one answer.
	reasonPageSize = "PAGE_SIZE_REQUIRED"
)

// A List is a page of clients that was measured and not yet read.
type List struct {
	// IsLarge reports that the page takes much memory: do not read many concurrently.
	IsLarge bool

	store *Store
	query *ent.OAuthClientQuery
	rows  int // the page has no more
	// next returns the token of the page after the one that ends with a client.
	next func(ctx context.Context, last *Client) (string, error)
}

// List measures a page of clients, the oldest first. Its order is stable: a client
// that is created while a caller turns pages moves no other client to another page.
//
// Errors: Invalid for a page token that belongs to another organisation or
// selection; Invalid with the reason PAGE_SIZE_REQUIRED for a list without a page size
// that is too large for one answer.
func (s *Store) List(ctx context.Context, caller Caller, in ListInput) (*List, error) {
	selection, err := s.selection(ctx, caller, in)
	if err != nil {
		return nil, err
	}
	query := s.read.OAuthClient.Query().Where(selection...).Order(oauthclient.ByCreatedAt(), oauthclient.ByID())
	l := &List{store: s, query: query, rows: cmp.Or(in.PageSize, s.maxUnpaged)}
	l.next = func(ctx context.Context, last *Client) (string, error) {
		if in.PageSize == 0 {
			return "", s.pageSizeRequired()
		}
		return s.pageToken(ctx, cursorOf(last), in.boundTo(caller))
	}
	weights, err := l.weights(ctx)
	if err != nil {
		return nil, err
	}
	rows, isCut := l.shorten(weights)
	if isCut && in.PageSize == 0 {
		return nil, s.pageSizeRequired()
	}
	l.rows = rows
	return l, nil
}

// weights returns the weight of each client on the page, and of the next one.
func (l *List) weights(ctx context.Context) ([]int, error) {
	weights, err := l.query.Clone().Limit(l.rows + 1).Aggregate(weightSQL).Ints(ctx)
	return weights, l.store.toError("measure list of clients", err)
}

// shorten returns how many clients the page may have, and whether there are more.
func (l *List) shorten(weights []int) (rows int, isCut bool) {
	total := 0
	for i, weight := range weights {
		if i == l.rows || i > 0 && total+weight > maxListWeight {
			return i, true
		}
		total += weight
		l.IsLarge = total > largeListWeight
	}
	return l.rows, false
}

func (s *Store) pageSizeRequired() error {
	return &Error{Code: Invalid, Reason: reasonPageSize, Message: "validation errors", Violations: []Violation{{
		Field: "page_size", Rule: "page_size.required",
		Message: fmt.Sprintf("must be set, up to 1000: without it an answer has at most %d clients, and fewer if they are large", s.maxUnpaged),
	}}}
}

// Read returns the clients of the page.
//
// Errors: Invalid with the reason PAGE_SIZE_REQUIRED if the list has grown since it
// was measured.
func (l *List) Read(ctx context.Context) (Page, error) {
	rows, err := l.query.Limit(l.rows + 1).All(ctx) // one more shows whether there is a next page
	if err != nil {
		return Page{}, l.store.toError("list clients", err)
	}
	if len(rows) <= l.rows {
		return Page{Clients: rows}, nil
	}
	rows = rows[:l.rows]
	next, err := l.next(ctx, rows[len(rows)-1])
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
