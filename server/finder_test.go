package server_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// A finder finds secrets in data, in clear or encoded, by sixteen characters
// of what is random in them.
type finder map[[16]byte]string

// add looks for a secret from now on: as it is, in hex, and in base64 wherever
// it begins within a group of three bytes.
func (f finder) add(secret string) {
	body := strings.TrimPrefix(secret, "sk_live_")
	f.addText("in clear", body)
	f.addText("in hex", hex.EncodeToString([]byte(body)))
	f.addText("in hex", strings.ToUpper(hex.EncodeToString([]byte(body))))
	for shift := range 3 {
		shifted := append(make([]byte, shift), body...)
		f.addText("in base64", base64.StdEncoding.EncodeToString(shifted)[4:])
		f.addText("in base64", base64.URLEncoding.EncodeToString(shifted)[4:])
	}
}

func (f finder) addText(encoding, text string) { f[[16]byte([]byte(text))] = encoding }

// in says how the first secret in data is encoded, or nothing if there is none.
func (f finder) in(data []byte) string {
	for i := range max(0, len(data)-15) {
		if encoding, ok := f[[16]byte(data[i:])]; ok {
			return encoding
		}
	}
	return ""
}

func TestFinderFindsASecretInEveryEncoding(t *testing.T) {
	const secret = "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	f := finder{}
	f.add(secret)
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
			if got := f.in([]byte(encoded)); got != want {
				t.Errorf("got %q, want %q in %s", got, want, encoded)
			}
		}
	}
	if got := f.in([]byte(strings.Repeat(secret[8:23], 3))); got != "" {
		t.Errorf("fifteen characters are found %s", got)
	}
}
