package oauthclient

import (
	"encoding/base64"
	"errors"
)

// errPageToken reports a token of another query, or one that we have not made.
var errPageToken = NewInvalid(Violation{
	Field:   "page_token",
	Rule:    "page_token",
	Message: "must be a nextPageToken of the same query",
})

// pageToken seals a cursor, which names the last entry of a page. A caller can
// neither make a token nor use it for another query.
func (s *Store) pageToken(cursor []byte, boundTo []string) (string, error) {
	sealed, err := s.keyset.SealPageToken(cursor, boundTo...)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// openPageToken returns the cursor in a token of the same query.
func (s *Store) openPageToken(token string, size int, boundTo []string) ([]byte, error) {
	sealed, decodeErr := base64.RawURLEncoding.Strict().DecodeString(token)
	cursor, openErr := s.keyset.OpenPageToken(sealed, boundTo...)
	if errors.Join(decodeErr, openErr) != nil || len(cursor) != size {
		return nil, errPageToken
	}
	return cursor, nil
}
