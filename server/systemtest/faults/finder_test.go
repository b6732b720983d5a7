//go:build linux

package faults_test

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// A finder finds secrets in data, in clear, in hex or in base64, by sixteen
// characters of what is random in them.
type finder map[[16]byte]struct{}

func (f finder) add(secret string) {
	random := []byte(strings.TrimPrefix(secret, prefix))
	f[[16]byte(random)] = struct{}{}
	f[[16]byte([]byte(hex.EncodeToString(random)))] = struct{}{}
	for shift := range 3 { // wherever it begins within a group of three bytes
		shifted := base64.StdEncoding.EncodeToString(slices.Concat(make([]byte, shift), random))
		f[[16]byte([]byte(shifted)[4:])] = struct{}{}
	}
}

func (f finder) finds(data []byte) bool {
	for i := range max(0, len(data)-15) {
		if _, ok := f[[16]byte(data[i:])]; ok {
			return true
		}
	}
	return false
}

func (f finder) wantNone(t *testing.T, where string, data []byte) {
	t.Helper()
	if len(data) == 0 {
		t.Errorf("%s: there is nothing to look at", where)
	}
	if f.finds(data) {
		t.Errorf("%s: holds a secret", where)
	}
}

func TestTheFinderFindsASecret(t *testing.T) {
	const secret = prefix + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	f := finder{}
	f.add(secret)
	for shift := range 3 {
		text := strings.Repeat(" ", shift) + secret
		for name, encoded := range map[string]string{
			"in clear":  text,
			"in hex":    hex.EncodeToString([]byte(text)),
			"in base64": base64.StdEncoding.EncodeToString([]byte(text)),
		} {
			if !f.finds([]byte(encoded)) {
				t.Errorf("%s, after %d spaces: is not found", name, shift)
			}
		}
	}
	if f.finds([]byte(secret[:len(prefix)+15])) {
		t.Error("fifteen characters are found")
	}
}
