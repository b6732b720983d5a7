package servertest_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"clientsd/server/servertest"
)

func TestFinder_EveryEncoding(t *testing.T) {
	const secret = "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	f := servertest.Finder{}
	f.Add(secret)
	text := []byte(`{"clientSecret":"` + secret + `"}`)
	for i := range 3 {
		data := append(make([]byte, i), text...)
		for encoded, want := range map[string]string{
			string(data):                               "in clear",
			hex.EncodeToString(data):                   "in hex",
			strings.ToUpper(hex.EncodeToString(data)):  "in hex",
			base64.StdEncoding.EncodeToString(data):    "in base64",
			base64.RawURLEncoding.EncodeToString(data): "in base64",
		} {
			if got := f.In([]byte(encoded)); got != want {
				t.Errorf("got %q, want %q in %s", got, want, encoded)
			}
		}
	}
	if got := f.In([]byte(strings.Repeat(secret[8:23], 3))); got != "" {
		t.Errorf("fifteen characters are found %s", got)
	}
}
