package logo_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"runtime"
	"slices"
	"testing"

	"clientsd/server/logo"
)

// FuzzEncode looks for an upload that is neither refused nor encoded as a clean
// PNG, and for one that costs more memory than Encode promises.
func FuzzEncode(f *testing.F) {
	for _, name := range []string{"lossy.webp", "lossless.webp", "alpha.webp", "groups.webp", "animated.webp"} {
		f.Add(file(f, name), webpType)
	}
	f.Add(pngOf(f, gradient(9, 7)), pngType)
	f.Add(pngOf(f, plain(image.Rect(0, 0, 9, 7), faint)), pngType)
	f.Add(jpegOf(f, gradient(9, 7)), jpegType)
	f.Add(file(f, "progressive.jpg"), jpegType)
	f.Add(gifOf(f, 9, 7, plain(image.Rect(1, 2, 5, 6), red)), gifType)
	f.Add(webpOf(lossless(codeGroups(300)[:48<<10])), webpType)
	f.Fuzz(func(t *testing.T, data []byte, contentType string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := logo.Encode(data, contentType)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > worstMiB<<20 {
			t.Errorf("allocated %d MiB (%v)", got>>20, err)
		}
		if err != nil {
			if !errors.As(err, new(*logo.Error)) {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		img, err := png.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatalf("decode the answer: %v", err)
		}
		if size := img.Bounds().Size(); size.X > logo.MaxSide || size.Y > logo.MaxSide {
			t.Fatalf("the answer is %v", size)
		}
		names, rest := pngChunks(out)
		if len(rest) > 0 || !slices.Equal(slices.Compact(names), []string{"IHDR", "IDAT", "IEND"}) {
			t.Fatalf("the answer carries more than pixels: %q", out)
		}
	})
}
