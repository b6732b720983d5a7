package oauthclient

import (
	"context"
	"encoding/base64"
	"errors"

	"clientsd/server/secret"
)

// errPageToken reports a token of another query, or one that we have not made.
var errPageToken = NewInvalid(Violation{
	Field:   "page_token",
	Rule:    "page_token",
	Message: "must be a nextPageToken of the same query",
})

// pageToken seals a cursor, which names the last entry of a page. A caller can
// neither make a token nor use it for another query.
func (s *Store) pageToken(ctx context.Context, cursor []byte, boundTo []string) (string, error) {
	sealer, err := s.keyset.Sealer(ctx)
	if err != nil {
		return "", s.toError("seal page token", err)
	}
	sealed, err := sealer.SealPageToken(cursor, boundTo...)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// openPageToken returns the cursor in a token of the same query.
func (s *Store) openPageToken(ctx context.Context, token string, size int, boundTo []string) ([]byte, error) {
	sealed, decodeErr := base64.RawURLEncoding.Strict().DecodeString(token)
	if decodeErr != nil {
		return nil, errPageToken
	}
	cursor, err := s.keyset.OpenPageToken(sealed, boundTo...)
	err = s.keyError(ctx, err)
	switch {
	case err == nil && len(cursor) == size:
		return cursor, nil
	case err == nil || errors.Is(err, secret.ErrDamaged) || errors.Is(err, ErrDamagedSecret):
		return nil, errPageToken
	default: // another server may have made it
		return nil, s.toError("open page token", err)
	}
}
