package logo_test

import (
	"bytes"
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/logo"
)

// quarterTurn is Exif data with an orientation of 6, turn right.
const quarterTurn = "MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01" +
	"\x00\x06\x00\x00\x00\x00\x00\x00"

func TestEncode_KeepsNothingButPixels(t *testing.T) {
	const html = "<script>alert(document.domain)</script>"
	simple := pngOf(t, gradient(20, 10))
	exif := []byte("Exif\x00\x00" + quarterTurn + html)
	app1 := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	photo := jpegOf(t, gradient(20, 10))
	extended := webpOf(vp8x(1<<5|1<<3|1<<2, 16, 16), riff("ICCP", []byte(html)), file(t, "lossless.webp")[12:],
		riff("EXIF", exif), riff("XMP ", []byte(html)))
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		size        image.Point
	}{
		"a PNG with text": {withChunks(simple, chunk("tEXt", []byte("Comment\x00"+html))), pngType, image.Pt(20, 10)},
		"a PNG with a colour profile, Exif and a chunk of no known name": {withChunks(simple,
			chunk("iCCP", append([]byte("x\x00\x00"), deflated([]byte(html))...)),
			chunk("eXIf", exif[6:]), chunk("evIl", []byte(html))), pngType, image.Pt(10, 20)},
		"a PNG with a page in its palette":  {pngOf(t, htmlPalette(html)), pngType, image.Pt(20, 10)},
		"a PNG followed by a page":          {append(bytes.Clone(simple), html...), pngType, image.Pt(20, 10)},
		"a PNG followed by a ZIP":           {append(bytes.Clone(simple), "PK\x03\x04"+html...), pngType, image.Pt(20, 10)},
		"a JPEG with Exif, which is turned": {slices.Concat(photo[:2], app1, photo[2:]), jpegType, image.Pt(10, 20)},
		"a GIF with a page in its palette":  {gifOf(t, 20, 10, htmlPalette(html)), gifType, image.Pt(20, 10)},
		"a WebP with all there is":          {extended, webpType, image.Pt(16, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := logo.Encode(c.data, c.contentType)
			if err != nil {
				t.Fatal(err)
			}
			names, rest := pngChunks(out)
			if diff := cmp.Diff([]string{"IHDR", "IDAT", "IEND"}, slices.Compact(names)); diff != "" {
				t.Errorf("chunks (-want +got):\n%s", diff)
			}
			if len(rest) > 0 || bytes.Contains(out, []byte("script")) {
				t.Errorf("the answer carries more than pixels: %q", out)
			}
			if got := encoded(t, c.data, c.contentType).Rect.Max; got != c.size {
				t.Errorf("size: got %v, want %v", got, c.size)
			}
		})
	}
}

// htmlPalette is a picture whose colours spell html.
func htmlPalette(html string) *image.Paletted {
	img := image.NewPaletted(image.Rect(0, 0, 20, 10), nil)
	for i := 0; i+3 <= len(html); i += 3 {
		img.Palette = append(img.Palette, color.NRGBA{html[i], html[i+1], html[i+2], 255})
	}
	return img
}
