package logo_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The files of testdata come from cwebp and webpmux 1.2.4: lossy.webp is
// 16×16 of one red; in lossless.webp the right half is transparent; in alpha.webp
// column x has alpha 16x; groups.webp has a map of code groups; animated.webp has
// a first frame, red with its right half transparent, at (4,6) on 20×22.
func file(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// gradient is an opaque picture of many colours.
func gradient(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.NRGBA{R: uint8(x), G: uint8(y), B: uint8(x ^ y), A: 255})
		}
	}
	return img
}

func pngOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func jpegOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 100}); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// gifOf encodes frames on a screen of width × height.
func gifOf(tb testing.TB, width, height int, frames ...*image.Paletted) []byte {
	tb.Helper()
	all := &gif.GIF{
		Image:  frames,
		Delay:  make([]int, len(frames)),
		Config: image.Config{ColorModel: frames[0].Palette, Width: width, Height: height},
	}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, all); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// plain is a frame of one colour, the first of its two.
func plain(bounds image.Rectangle, c color.Color) *image.Paletted {
	return image.NewPaletted(bounds, color.Palette{c, color.NRGBA{A: 255}})
}

// chunk is a PNG chunk.
func chunk(name string, payload []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	out = append(append(out, name...), payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// withChunks inserts chunks after the header chunk of a PNG.
func withChunks(file []byte, chunks ...[]byte) []byte {
	const header = 8 + 12 + 13
	return slices.Concat(file[:header], bytes.Join(chunks, nil), file[header:])
}

// pngClaiming is a PNG whose header claims a size that its pixels do not have.
func pngClaiming(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(nil, width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 0, 0, 0, 0)
	pixels := deflated(make([]byte, 30001))
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"),
		chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", nil))
}

func deflated(data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(data) // a Buffer takes all
	_ = w.Close()
	return out.Bytes()
}

// pngChunks returns the names of the chunks of a PNG, and what follows them.
func pngChunks(data []byte) (names []string, rest []byte) {
	rest = data[8:]
	for len(rest) >= 12 && (len(names) == 0 || names[len(names)-1] != "IEND") {
		names = append(names, string(rest[4:8]))
		rest = rest[12+binary.BigEndian.Uint32(rest):]
	}
	return names, rest
}

// riff is a RIFF chunk, padded.
func riff(name string, payload ...[]byte) []byte {
	body := bytes.Join(payload, nil)
	out := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	return append(append(out, body...), make([]byte, len(body)&1)...)
}

func webpOf(chunks ...[]byte) []byte {
	return riff("RIFF", []byte("WEBP"), bytes.Join(chunks, nil))
}

// vp8x is the extended header of a WebP whose sides are below 64 Ki.
func vp8x(flags byte, width, height int) []byte {
	w, h := width-1, height-1
	return riff("VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), 0, byte(h), byte(h >> 8), 0})
}
