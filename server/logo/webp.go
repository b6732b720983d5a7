package logo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"iter"

	"golang.org/x/image/webp"
)

// errWebP stands for whatever is wrong with the container of a WebP file.
var errWebP = errors.New("webp: malformed container")

// A webpStill is the first frame of a WebP file, still or animated, and the
// chunks that carry it (RFC 9649, section 2).
type webpStill struct {
	canvas   image.Point // zero in a file without VP8X chunk
	at       image.Point
	sides    []byte // width and height less one, 3 bytes each, as the file has them
	alpha    []byte // the ALPH chunk's payload, nil without one
	pixels   []byte // the payload of the VP8 or VP8L chunk
	lossless bool
}

// openWebP hands the decoder a file of our own making with nothing in it but the
// first frame. The decoder knows no animation, and it allocates what a chunk's
// length claims, up to 128 MiB, before it looks for the data.
func openWebP(data []byte) (frame, error) {
	still, err := firstWebP(data[12:])
	if err != nil {
		return frame{}, err
	}
	opened, err := newFrame(still.file(), webp.DecodeConfig, webp.Decode)
	if err != nil {
		return frame{}, err
	}
	opened.at, opened.exif = still.at, exifOfWebP(data)
	if still.canvas != (image.Point{}) {
		opened.canvas = still.canvas
	}
	decode := opened.decode
	opened.decode = func() (image.Image, error) {
		img, err := decode()
		stretch(img)
		return img, err
	}
	return opened, nil
}

// stretch corrects the colours of a lossy image in place. VP8 keeps luma within
// 16 to 235 and chroma within 16 to 240, the decoder hands them out as if all of
// 0 to 255 were in use (golang.org/issue/40173): white would come out grey.
func stretch(img image.Image) {
	var planes *image.YCbCr
	switch img := img.(type) {
	case *image.YCbCr:
		planes = img
	case *image.NYCbCrA:
		planes = &img.YCbCr
	default:
		return
	}
	const lumaSpan, chromaSpan = 235 - 16, 240 - 16
	stretchPlane(planes.Y, lumaSpan, 16, 0)
	stretchPlane(planes.Cb, chromaSpan, 128, 128)
	stretchPlane(planes.Cr, chromaSpan, 128, 128)
}

// stretchPlane spreads a span of values over 0 to 255, from becoming to.
func stretchPlane(plane []uint8, span, from, to int) {
	var table [256]uint8
	for value := range table {
		stretched := to + (value-from)*255/span
		table[value] = uint8(min(max(stretched, 0), 255)) //nolint:gosec // within 0 to 255
	}
	for i, value := range plane {
		plane[i] = table[value]
	}
}

// firstWebP reads chunks up to the first frame's pixels.
func firstWebP(data []byte) (webpStill, error) {
	var still webpStill
	for name, payload := range riffChunks(data) {
		switch name {
		case "VP8X":
			if len(payload) != 10 {
				return still, errWebP
			}
			still.sides = payload[4:10]
			still.canvas = image.Pt(uint24(payload[4:])+1, uint24(payload[7:])+1)
		case "ANMF":
			return still.firstFrame(payload)
		}
		if still.take(name, payload) {
			return still, nil
		}
	}
	return still, errWebP
}

// firstFrame reads an animation's frame: its place and size, its duration and how
// it blends, then its chunks. Before the first frame the canvas is empty, so it
// does not matter how that one blends.
func (s *webpStill) firstFrame(data []byte) (webpStill, error) {
	const header = 16
	if len(data) < header || s.sides == nil {
		return webpStill{}, errWebP
	}
	still := webpStill{
		canvas: s.canvas,
		at:     image.Pt(2*uint24(data), 2*uint24(data[3:])),
		sides:  data[6:12],
	}
	for name, payload := range riffChunks(data[header:]) {
		if still.take(name, payload) {
			return still, nil
		}
	}
	return webpStill{}, errWebP
}

// take keeps a chunk that carries pixels and reports whether it was the last.
func (s *webpStill) take(name string, payload []byte) bool {
	switch name {
	case "ALPH":
		s.alpha = payload
	case "VP8 ", "VP8L":
		s.pixels, s.lossless = payload, name == "VP8L"
		return true
	}
	return false
}

// file returns a still WebP file of the frame. The VP8X chunk makes the decoder
// check that the pixels are of the size the container says.
func (s *webpStill) file() []byte {
	body := []byte("WEBP")
	if s.sides != nil {
		extended := make([]byte, 4, 10)
		if s.alpha != nil {
			extended[0] = 1 << 4
		}
		body = appendChunk(body, "VP8X", append(extended, s.sides...))
	}
	if s.alpha != nil {
		body = appendChunk(body, "ALPH", s.alpha)
	}
	if s.lossless {
		return appendChunk(nil, "RIFF", appendChunk(body, "VP8L", s.pixels))
	}
	return appendChunk(nil, "RIFF", appendChunk(body, "VP8 ", s.pixels))
}

// exifOfWebP returns the payload of the chunk with Exif data, or nil.
func exifOfWebP(data []byte) []byte {
	for name, payload := range riffChunks(data[12:]) {
		if name == "EXIF" {
			return payload
		}
	}
	return nil
}

// riffChunks yields the name and payload of each chunk that data holds whole.
func riffChunks(data []byte) iter.Seq2[string, []byte] {
	const header = 8
	return func(yield func(string, []byte) bool) {
		for len(data) >= header {
			name, size := string(data[:4]), int64(binary.LittleEndian.Uint32(data[4:]))
			data = data[header:]
			if size > int64(len(data)) || !yield(name, data[:size]) {
				return
			}
			data = data[min(size+size&1, int64(len(data))):]
		}
	}
}

func appendChunk(file []byte, name string, payload []byte) []byte {
	file = append(file, name...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(payload))) //nolint:gosec // at most MaxBytes
	file = append(file, payload...)
	return append(file, bytes.Repeat([]byte{0}, len(payload)&1)...)
}

func uint24(b []byte) int {
	return int(b[0]) | int(b[1])<<8 | int(b[2])<<16
}
