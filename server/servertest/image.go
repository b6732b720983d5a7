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

var Red = color.NRGBA{R: 200, G: 30, B: 40, A: 255} // that of lossy.webp

// picture is an image of one colour.
func picture(width, height int, c color.Color) *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{c})
}

func PNG(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture(width, height, c)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func JPEG(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func GIF(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := gif.Encode(&out, picture(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
