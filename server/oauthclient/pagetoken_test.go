package oauthclient_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"clientsd/server/oauthclient"
)

// A page token that was not made by us must be refused, and never reach the
// database as a cursor.
func FuzzPageToken(f *testing.F) {
	w := newWorld(f, nil)
	for range 3 {
		w.create(f, input())
	}
	first, err := w.page(f.Context(), oauthclient.ListInput{PageSize: 1})
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(first.Next)
	if err != nil {
		f.Fatal(err)
	}
	sealer, err := w.storage.Keyset.Sealer(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	shorter, shorterErr := sealer.SealPageToken([]byte("short"), "acme", "")
	other, otherErr := sealer.SealPageToken(make([]byte, 24), "other", "")
	if err := errors.Join(shorterErr, otherErr); err != nil {
		f.Fatal(err)
	}
	for _, token := range []string{
		first.Next, "next", first.Next[:8], first.Next + "AAAA", "\x00", "_-_-",
		base64.RawURLEncoding.EncodeToString(shorter), base64.RawURLEncoding.EncodeToString(other),
		base64.StdEncoding.EncodeToString(sealed), base64.RawURLEncoding.EncodeToString(slices.Concat(sealed, sealed)),
	} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		page, err := w.page(t.Context(), oauthclient.ListInput{PageSize: 1, PageToken: token})
		var refused *oauthclient.Error
		switch decoded, _ := base64.RawURLEncoding.DecodeString(token); {
		case token == "" || slices.Equal(decoded, sealed):
			if err != nil || len(page.Clients) != 1 {
				t.Errorf("our token, %q: got %v, error %v", token, page, err)
			}
		case !errors.As(err, &refused) || refused.Code != oauthclient.Invalid || refused.Violations[0].Field != "page_token":
			t.Errorf("token %q: got %v, error %v", token, page, err)
		}
	})
}
