package logo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"runtime"
	"slices"
	"testing"
	"time"

	"clientsd/server/logo"
)

// worstMiB bounds what Encode allocates for one upload, in all and in MiB. The
// worst known upload takes 212.
const worstMiB = 224

// TestEncode_CostsLittle bounds what Encode allocates, in all, for uploads made
// to cost much.
func TestEncode_CostsLittle(t *testing.T) {
	small := pngOf(t, gradient(8, 8))
	photo := jpegOf(t, gradient(512, 512))
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		rule        string // empty: accepted
		mib         uint64
	}{
		"a PNG that claims 30000×30000":          {pngClaiming(30000, 30000), pngType, "logo.dimensions", 1},
		"a PNG with 8 MiB of pixels too many":    {pngWith(8, 0, make([]byte, 8<<20)), pngType, "logo.malformed", 2},
		"a PNG of 16 bits a channel, interlaced": {interlaced(), pngType, "", 16},
		"a PNG of 170,000 empty chunks":          {withChunks(small, emptyChunks(170_000)), pngType, "", 8},
		"a PNG with text that inflates to 8 MiB": {withChunks(small, zTXt(8<<20)), pngType, "", 4},
		"a PNG of 2 MiB, most of it after its end": {
			append(bytes.Clone(small), make([]byte, logo.MaxBytes-len(small))...), pngType, "", 4,
		},

		"a GIF of 2500 frames":             {manyFrames(t, 2500), gifType, "", 8},
		"a GIF whose frame is 65535×65535": {frameOf(t, 65535), gifType, "logo.malformed", 1},
		"a GIF that claims 65535×65535": {
			patched(frameOf(t, 8), 6, 255, 255, 255, 255), gifType, "logo.dimensions", 1,
		},

		"a JPEG that claims 65535×65535":        {claiming(photo, 0xffff), jpegType, "logo.dimensions", 2},
		"a progressive JPEG":                    {file(t, "progressive.jpg"), jpegType, "", 16},
		"a JPEG of 101 scans":                   {withScans(photo, 100), jpegType, "logo.too_complex", 1},
		"a JPEG of 100 scans, as it would seem": {withScans(photo, 99), jpegType, "", 16},

		"a WebP that claims 16384×16384": {
			webpOf(vp8x(16, 16384, 16384), alpha(nil), vp8(nil)), webpType, "logo.dimensions", 1,
		},
		"a WebP whose chunk claims 15 MiB": {claimingChunk(), webpType, "logo.malformed", 1},
		// The decoder takes at most as many groups as libwebp writes.
		"a lossless WebP with 2600 groups of codes": {webpOf(lossless(codeGroups(2600))), webpType, "", worstMiB},
		"a lossless WebP with 2601 groups of codes": {
			webpOf(lossless(codeGroups(2601))), webpType, "logo.malformed", 8,
		},
		"a lossy WebP with 2600 groups of codes for its alpha": {
			webpOf(vp8x(16, 512, 512), alpha(codeGroups(2600)), vp8(nil)), webpType, "logo.malformed", worstMiB,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := logo.Encode(c.data, c.contentType)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if got := ruleOf(err); got != c.rule {
				t.Errorf("got rule %q (%v), want %q", got, err, c.rule)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > c.mib<<20 {
				t.Errorf("allocated %d KiB, want at most %d MiB", got>>10, c.mib)
			}
			t.Logf("allocated %d KiB for %d KiB in %v", (after.TotalAlloc-before.TotalAlloc)>>10, len(c.data)>>10, took)
		})
	}
}

func ruleOf(err error) string {
	var refusal *logo.Error
	if errors.As(err, &refusal) {
		return refusal.Rule
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// pngWith is a PNG of 512×512 RGBA pixels, of so many bits a channel.
func pngWith(depth, interlace byte, pixels []byte) []byte {
	header := []byte{0, 0, 2, 0, 0, 0, 2, 0, depth, 6, 0, 0, interlace}
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"),
		chunk("IHDR", header), chunk("IDAT", deflated(pixels)), chunk("IEND", nil))
}

// interlaced is made of the seven passes of Adam7, transparent black.
func interlaced() []byte {
	size := 0
	for _, pass := range []image.Point{{64, 64}, {64, 64}, {128, 64}, {128, 128}, {256, 128}, {256, 256}, {512, 256}} {
		size += (1 + 8*pass.X) * pass.Y
	}
	return pngWith(16, 1, make([]byte, size))
}

func emptyChunks(count int) []byte { return bytes.Repeat(chunk("teSt", nil), count) }

func zTXt(size int) []byte {
	return chunk("zTXt", append([]byte("Comment\x00\x00"), deflated(make([]byte, size))...))
}

// manyFrames is a GIF that repeats one frame of 512×512.
func manyFrames(t *testing.T, frames int) []byte {
	t.Helper()
	const header = 13 + 2*3
	one := gifOf(t, 512, 512, plain(image.Rect(0, 0, 512, 512), red))
	end := len(one) - 1
	return slices.Concat(one[:header], bytes.Repeat(one[header:end], frames), one[end:])
}

// frameOf is a GIF with a screen of 8×8 and a frame of side × side.
func frameOf(t *testing.T, side uint16) []byte {
	t.Helper()
	data := gifOf(t, 8, 8, plain(image.Rect(0, 0, 8, 8), red))
	sides := binary.LittleEndian.AppendUint16(nil, side)
	return patched(data, bytes.IndexByte(data[19:], ',')+19+5, append(sides, sides...)...)
}

// withScans is a JPEG followed by what looks like more scans.
func withScans(data []byte, scans int) []byte {
	return slices.Concat(data, bytes.Repeat([]byte("\xff\xda"), scans))
}

// claiming is a JPEG with other sides in its header.
func claiming(data []byte, side uint16) []byte {
	sides := binary.BigEndian.AppendUint16(nil, side)
	return patched(data, bytes.Index(data, []byte("\xff\xc0"))+5, append(sides, sides...)...)
}

// alpha is an ALPH chunk, losslessly coded.
func alpha(stream []byte) []byte { return riff("ALPH", []byte{1}, stream) }

// vp8 is the chunk of a lossy image of 16×16.
func vp8(partitions []byte) []byte {
	return riff("VP8 ", []byte{0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0}, partitions)
}

// claimingChunk is a WebP that ends within a chunk said to be of 15 MiB.
func claimingChunk() []byte {
	data := webpOf(vp8(make([]byte, 64)))
	return patched(patched(data, 4, 0, 0, 0, 1), 16, 0, 0, 0xf0, 0)
}
