package logo_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clientsd/server/logo"
)

var (
	red     = color.NRGBA{R: 200, G: 30, B: 40, A: 255}
	faint   = color.NRGBA{R: 200, G: 30, B: 40, A: 1}
	hidden  = color.NRGBA{R: 200, G: 30, B: 40}
	nothing = color.NRGBA{}
)

// encoded returns what Encode makes of data, decoded again.
func encoded(t *testing.T, data []byte, contentType string) *image.NRGBA {
	t.Helper()
	out, err := logo.Encode(data, contentType)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	img, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("decode the answer: %v", err)
	}
	canvas := image.NewNRGBA(img.Bounds())
	for y := range canvas.Rect.Max.Y {
		for x := range canvas.Rect.Max.X {
			canvas.Set(x, y, img.At(x, y))
		}
	}
	return canvas
}

func TestEncode_KeepsThePixels(t *testing.T) {
	seeThrough := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{red, nothing})
	seeThrough.SetColorIndex(1, 1, 1)
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		want        image.Image
	}{
		"the smallest":                    {pngOf(t, gradient(1, 1)), pngType, gradient(1, 1)},
		"the largest":                     {pngOf(t, gradient(512, 512)), pngType, gradient(512, 512)},
		"wide":                            {pngOf(t, gradient(512, 1)), pngType, gradient(512, 1)},
		"high":                            {pngOf(t, gradient(1, 512)), pngType, gradient(1, 512)},
		"nearly transparent":              {pngOf(t, plainNRGBA(faint)), pngType, plainNRGBA(faint)},
		"a palette with a hole":           {pngOf(t, seeThrough), pngType, seeThrough},
		"a GIF with a see-through colour": {gifOf(t, 3, 2, seeThrough), gifType, seeThrough},
	} {
		t.Run(name, func(t *testing.T) {
			got := encoded(t, c.data, c.contentType)
			if got.Rect != c.want.Bounds() {
				t.Fatalf("bounds: got %v, want %v", got.Rect, c.want.Bounds())
			}
			for y := range got.Rect.Max.Y {
				for x := range got.Rect.Max.X {
					want := color.NRGBAModel.Convert(c.want.At(x, y))
					if got.At(x, y) != want {
						t.Fatalf("pixel %d,%d: got %v, want %v", x, y, got.At(x, y), want)
					}
				}
			}
		})
	}
}

func plainNRGBA(c color.NRGBA) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		img.SetNRGBA(i%2, i/2, c)
	}
	return img
}

func TestEncode_ReadsEveryFormat(t *testing.T) {
	deep := image.NewNRGBA64(image.Rect(0, 0, 16, 16))
	for i := range 16 * 16 {
		deep.Set(i%16, i/16, red)
	}
	grey := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range grey.Pix {
		grey.Pix[i] = 77
	}
	square := image.Rect(0, 0, 16, 16)
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		left, right color.NRGBA // near the left edge and the lower right corner
	}{
		"PNG of 16 bits a channel": {pngOf(t, deep), pngType, red, red},
		"grey PNG":                 {pngOf(t, grey), pngType, color.NRGBA{77, 77, 77, 255}, color.NRGBA{77, 77, 77, 255}},
		"GIF":                      {gifOf(t, 16, 16, plain(square, red)), gifType, red, red},
		"JPEG":                     {jpegOf(t, plain(square, red)), jpegType, red, red},
		"lossy WebP":               {file(t, "lossy.webp"), webpType, red, red},
		"lossy WebP with alpha":    {file(t, "alpha.webp"), webpType, withAlpha(32), withAlpha(192)},
		"lossless WebP":            {file(t, "lossless.webp"), webpType, red, hidden},
		"lossless WebP of several code groups": {
			file(t, "groups.webp"), webpType,
			color.NRGBA{66, 189, 242, 255},
			color.NRGBA{49, 52, 164, 255},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := encoded(t, c.data, c.contentType)
			for at, want := range map[image.Point]color.NRGBA{{2, 8}: c.left, got.Rect.Max.Sub(image.Pt(4, 4)): c.right} {
				if !near(got.NRGBAAt(at.X, at.Y), want) {
					t.Errorf("pixel %v: got %v, want %v", at, got.NRGBAAt(at.X, at.Y), want)
				}
			}
		})
	}
}

func withAlpha(a uint8) color.NRGBA { return color.NRGBA{R: red.R, G: red.G, B: red.B, A: a} }

// near allows for what lossy coding changes.
func near(a, b color.NRGBA) bool {
	return max(a.R, b.R)-min(a.R, b.R) < 4 && max(a.G, b.G)-min(a.G, b.G) < 4 &&
		max(a.B, b.B)-min(a.B, b.B) < 4 && max(a.A, b.A)-min(a.A, b.A) < 4
}

func TestEncode_KeepsTheFirstFrameOfAnAnimation(t *testing.T) {
	blue := color.NRGBA{B: 255, A: 255}
	small := plain(image.Rect(2, 3, 6, 7), red)
	apng := withChunks(pngOf(t, plain(image.Rect(0, 0, 8, 9), red)),
		chunk("acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}))
	for name, c := range map[string]struct {
		data            []byte
		contentType     string
		size            image.Point
		inside, outside image.Point
		want            color.NRGBA // outside the frame
	}{
		"GIF": {
			gifOf(t, 8, 9, plain(image.Rect(0, 0, 8, 9), red), plain(image.Rect(0, 0, 8, 9), blue)),
			gifType, image.Pt(8, 9), image.Pt(2, 3), image.Pt(1, 3), red,
		},
		"GIF whose first frame is smaller than its screen": {
			gifOf(t, 8, 9, small, plain(image.Rect(0, 0, 8, 9), blue)),
			gifType, image.Pt(8, 9), image.Pt(2, 3), image.Pt(1, 3), nothing,
		},
		"WebP whose first frame is smaller than its canvas": {
			file(t, "animated.webp"),
			webpType, image.Pt(20, 22), image.Pt(5, 8), image.Pt(3, 8), nothing,
		},
		"PNG": {apng, pngType, image.Pt(8, 9), image.Pt(2, 3), image.Pt(1, 3), red},
	} {
		t.Run(name, func(t *testing.T) {
			got := encoded(t, c.data, c.contentType)
			if got.Rect.Max != c.size {
				t.Errorf("size: got %v, want %v", got.Rect.Max, c.size)
			}
			if p := got.NRGBAAt(c.inside.X, c.inside.Y); !near(p, red) {
				t.Errorf("inside the frame: got %v, want %v", p, red)
			}
			if p := got.NRGBAAt(c.outside.X, c.outside.Y); !near(p, c.want) {
				t.Errorf("outside the frame: got %v, want %v", p, c.want)
			}
		})
	}
}

func TestHash_NamesTheLogoByItsContent(t *testing.T) {
	const want = "ba7816bf8f01cfea414140de5dae2223" // FIPS 180-2, appendix B.1, "abc"
	if got := logo.Hash([]byte("abc")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEncode_IsDeterministic(t *testing.T) {
	first, err := logo.Encode(file(t, "alpha.webp"), webpType)
	if err != nil {
		t.Fatal(err)
	}
	second, err := logo.Encode(first, pngType)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("a logo encoded twice is not the logo encoded once")
	}
}

func TestEncode_DecoderPanics(t *testing.T) {
	want := &logo.Error{"logo_data", "logo.malformed", "must be a complete, undamaged image/gif file"}
	var got *logo.Error
	if err := logo.PictureOfPanic(); !errors.As(err, &got) {
		t.Fatalf("got %v, want a *logo.Error", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
