package logo_test

import (
	"bytes"
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/logo"
)

const (
	pngType  = "image/png"
	jpegType = "image/jpeg"
	webpType = "image/webp"
	gifType  = "image/gif"
)

// refused checks that Encode answers with want and with nothing else.
func refused(t *testing.T, data []byte, contentType string, want logo.Error) {
	t.Helper()
	out, err := logo.Encode(data, contentType)
	var got *logo.Error
	if !errors.As(err, &got) || out != nil {
		t.Fatalf("got %d bytes and error %v, want %v", len(out), err, &want)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := want.Field + " " + want.Message; err.Error() != text {
		t.Errorf("Error(): got %q, want %q", err, text)
	}
}

func TestEncode_RefusesOtherTypesAndSizes(t *testing.T) {
	valid := pngOf(t, gradient(8, 8))
	tooLong := append(bytes.Clone(valid), make([]byte, logo.MaxBytes+1-len(valid))...)
	const types = "must be image/png, image/jpeg, image/webp or image/gif"
	for name, c := range map[string]struct {
		data                 []byte
		contentType          string
		field, rule, message string
	}{
		"more than 2 MiB": {
			tooLong, pngType,
			"logo_data", "logo.too_large", "must be at most 2097152 bytes, has 2097153",
		},
		"a type that is not accepted": {
			valid, "image/svg+xml",
			"content_type", "logo.unsupported_type", types,
		},
		"a type with a parameter": {
			valid, "image/png; q=1",
			"content_type", "logo.unsupported_type", types,
		},
		"no type": {
			valid, "",
			"content_type", "logo.unsupported_type", types,
		},
		"a PNG that is called a GIF": {
			valid, gifType,
			"content_type", "logo.type_mismatch", "must be the type of logo_data, which is image/png",
		},
		"a page": {
			[]byte("<!doctype html>"), webpType,
			"logo_data", "logo.type_mismatch", "must be of the type content_type names, image/webp",
		},
		"a RIFF file that is no WebP": {
			riff("RIFF", []byte("WAVE")), webpType,
			"logo_data", "logo.type_mismatch", "must be of the type content_type names, image/webp",
		},
		"nothing": {
			nil, jpegType,
			"logo_data", "logo.type_mismatch", "must be of the type content_type names, image/jpeg",
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.data, c.contentType, logo.Error{Field: c.field, Rule: c.rule, Message: c.message})
		})
	}
}

func TestEncode_RefusesBadDimensions(t *testing.T) {
	frame := plain(image.Rect(0, 0, 8, 8), red)
	still, animated := file(t, "lossy.webp"), file(t, "animated.webp")
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		sides       string
	}{
		"a PNG too wide":               {pngOf(t, gradient(513, 1)), pngType, "513×1"},
		"a PNG too high":               {pngOf(t, gradient(1, 513)), pngType, "1×513"},
		"a JPEG too high":              {jpegOf(t, gradient(2, 513)), jpegType, "2×513"},
		"a GIF with a screen too wide": {gifOf(t, 513, 8, frame), gifType, "513×8"},
		"a GIF without a screen":       {patched(gifOf(t, 8, 8, frame), 6, 0, 0), gifType, "0×8"},
		"a WebP with a canvas too wide": {
			webpOf(vp8x(0, 513, 16), still[12:]), webpType, "513×16",
		},
		"an animated WebP with a canvas too wide": {patched(animated, 24, 0, 2), webpType, "513×22"},
		"an animated WebP with a frame too high":  {patched(animated, 61, 0, 2), webpType, "16×513"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.data, c.contentType, logo.Error{
				Field: "logo_data", Rule: "logo.dimensions",
				Message: "must be 1 to 512 pixels wide and high, is " + c.sides,
			})
		})
	}
}

func TestEncode_RefusesDamage(t *testing.T) {
	valid, photo := pngOf(t, gradient(8, 8)), jpegOf(t, gradient(8, 8))
	gifs := gifOf(t, 8, 8, plain(image.Rect(0, 0, 8, 8), red))
	still, animated := file(t, "lossy.webp"), file(t, "animated.webp")
	shortFrame := riff("ANMF", make([]byte, 15))
	innerFrame := riff("ANMF", make([]byte, 16), animated[12:])
	for name, c := range map[string]struct {
		data        []byte
		contentType string
	}{
		"a PNG cut short":                           {valid[:len(valid)-20], pngType},
		"a PNG without an end":                      {valid[:len(valid)-12], pngType},
		"only how a PNG begins":                     {valid[:8], pngType},
		"a PNG with a wrong sum":                    {patched(valid, 30, 1), pngType},
		"a PNG with two headers":                    {withChunks(valid, valid[8:33]), pngType},
		"a JPEG cut short":                          {photo[:300], jpegType},
		"a GIF cut short":                           {gifs[:len(gifs)-4], gifType},
		"a GIF without a frame":                     {append(bytes.Clone(gifs[:19]), ';'), gifType},
		"a GIF with a frame larger than its screen": {patched(gifs, 6, 4, 0, 4, 0), gifType},
		"a WebP cut short":                          {still[:len(still)-8], webpType},
		"only how a WebP begins":                    {still[:12], webpType},
		"a WebP with an empty lossless chunk":       {webpOf(riff("VP8L")), webpType},
		"a WebP with a short extended header":       {webpOf(riff("VP8X", []byte{0}), still[12:]), webpType},
		"a WebP whose canvas is not its size":       {webpOf(vp8x(0, 32, 16), still[12:]), webpType},
		"a WebP with alpha but no extended header":  {webpOf(riff("ALPH", []byte{0}), still[12:]), webpType},
		"a WebP frame without a canvas":             {webpOf(animated[44:]), webpType},
		"a WebP frame cut short":                    {webpOf(vp8x(2, 16, 16), shortFrame), webpType},
		"a WebP frame within a frame":               {webpOf(vp8x(2, 16, 16), innerFrame), webpType},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.data, c.contentType, logo.Error{
				Field: "logo_data", Rule: "logo.malformed",
				Message: "must be a complete, undamaged " + c.contentType + " file",
			})
		})
	}
}

// patched is a copy of data with other bytes at an offset.
func patched(data []byte, offset int, with ...byte) []byte {
	return slices.Concat(data[:offset], with, data[offset+len(with):])
}
