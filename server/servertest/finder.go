package servertest

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// A Finder finds secrets in data, in clear or encoded. It knows each by sixteen of
// its random characters.
type Finder map[[16]byte]string

// Add adds a secret to those that In finds: in clear, in hex and in base64, wherever
// it begins within a group of three bytes.
func (f Finder) Add(secret string) {
	body := strings.TrimPrefix(secret, "sk_live_")
	f.AddText("in clear", body)
	f.AddText("in hex", hex.EncodeToString([]byte(body)))
	f.AddText("in hex", strings.ToUpper(hex.EncodeToString([]byte(body))))
	for shift := range 3 {
		shifted := append(make([]byte, shift), body...)
		f.AddText("in base64", base64.StdEncoding.EncodeToString(shifted)[4:])
		f.AddText("in base64", base64.URLEncoding.EncodeToString(shifted)[4:])
	}
}

// AddText adds a text by its first sixteen characters, and the name that In returns.
func (f Finder) AddText(encoding, text string) { f[[16]byte([]byte(text))] = encoding }

// In returns how the first secret in data is encoded, or "" if there is none.
func (f Finder) In(data []byte) string {
	for i := range max(0, len(data)-15) {
		if encoding, ok := f[[16]byte(data[i:])]; ok {
			return encoding
		}
	}
	return ""
}

// WantNone fails the test if data holds a secret. where says what data is.
func (f Finder) WantNone(t testing.TB, where string, data []byte) {
	t.Helper()
	if encoding := f.In(data); encoding != "" {
		t.Errorf("a secret stands in %s, %s", where, encoding)
	}
}
