package contract_test

import (
	"image/color"
	"os"
	"testing"
)

var blue = color.NRGBA{B: 255, A: 255}

// webP is 16×16 of one red.
func webP(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../../logo/testdata/lossy.webp")
	if err != nil {
		t.Fatal(err)
	}
	return data
}
