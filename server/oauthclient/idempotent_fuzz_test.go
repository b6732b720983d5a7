package oauthclient_test

import (
	"testing"

	"clientsd/server/oauthclient"
)

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "deploy-4711", "a b", "\x00", "é", string(make([]byte, 256))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := oauthclient.ParseIdempotencyKey(text)
		accepted := err == nil
		printable := len(text) >= 1 && len(text) <= 255
		for _, b := range []byte(text) {
			printable = printable && b >= ' ' && b <= '~'
		}
		if accepted != printable {
			t.Errorf("%q: got error %v", text, err)
		}
		if accepted == (key == oauthclient.IdempotencyKey{}) {
			t.Errorf("%q: got key %v, error %v", text, key, err)
		}
	})
}
