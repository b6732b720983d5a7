package servertest

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// Red is the colour of lossy.webp in the test data of package logo.
var Red = color.NRGBA{R: 200, G: 30, B: 40, A: 255}

// picture returns an image of one colour.
func picture(width, height int, c color.Color) *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{c})
}

// PNG returns an image of one colour as a PNG file.
func PNG(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture(width, height, c)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// JPEG returns an image of one colour as a JPEG file.
func JPEG(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// GIF returns an image of one colour as a GIF file.
func GIF(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := gif.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
