package server_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"testing"
)

var (
	red  = color.NRGBA{R: 200, G: 30, B: 40, A: 255} // that of lossy.webp
	blue = color.NRGBA{B: 255, A: 255}
)

// picture is an image of one colour.
func picture(width, height int, c color.Color) *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{c})
}

func pngOf(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture(width, height, c)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func jpegOf(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gifOf(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := gif.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// webP is 16×16 of one red.
func webP(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("logo/testdata/lossy.webp")
	if err != nil {
		t.Fatal(err)
	}
	return data
}
