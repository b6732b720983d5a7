package logo

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// maxScans bounds the passes a JPEG makes over its pixels. A progressive JPEG
// has about ten; one of 2 MiB could have 150,000, each of a dozen bytes and a
// full pass, which is a minute of CPU.
const maxScans = 100

// A format is a kind of image that Encode accepts.
type format struct {
	contentType string
	// magic is how a file begins; a ? stands for any byte.
	magic string
	// open finds the first frame, without decoding it. Its error is an *Error,
	// or a decoder's.
	open func(data []byte) (frame, error)
}

// A frame is an image that is ready to be decoded, if its sizes are in order.
type frame struct {
	size   image.Point // of the frame, as its header claims
	canvas image.Point // of the whole picture
	at     image.Point // where the decoded image goes on the canvas
	exif   []byte      // Exif data, which may say how the picture is turned; nil: none
	decode func() (image.Image, error)
}

func formats() []format {
	return []format{
		{"image/png", "\x89PNG\r\n\x1a\n", openPNG},
		{"image/jpeg", "\xff\xd8\xff", openJPEG},
		{"image/webp", "RIFF????WEBP", openWebP},
		{"image/gif", "GIF8?a", openGIF},
	}
}

// formatOf returns the format that is named and that data has, or an *Error.
func formatOf(data []byte, contentType string) (format, error) {
	var named, found format
	for _, f := range formats() {
		if f.contentType == contentType {
			named = f
		}
		if f.matches(data) {
			found = f
		}
	}
	switch {
	case named.contentType == "":
		return format{}, unsupportedType()
	case found.contentType == "":
		return format{}, unknownData(contentType)
	case found.contentType != contentType:
		return format{}, otherType(found.contentType)
	}
	return named, nil
}

func (f format) matches(data []byte) bool {
	if len(data) < len(f.magic) {
		return false
	}
	for i := range len(f.magic) {
		if f.magic[i] != '?' && f.magic[i] != data[i] {
			return false
		}
	}
	return true
}

// newFrame returns the frame that is all of file, sized by the file's header.
func newFrame(
	file []byte,
	config func(io.Reader) (image.Config, error),
	decode func(io.Reader) (image.Image, error),
) (frame, error) {
	header, err := config(bytes.NewReader(file))
	if err != nil {
		return frame{}, err
	}
	size := image.Pt(header.Width, header.Height)
	return frame{size: size, canvas: size, decode: func() (image.Image, error) {
		return decode(bytes.NewReader(file))
	}}, nil
}

// openGIF relies on gif.Decode, which stops after the first frame (DecodeAll
// would keep thousands in memory) and gives it the bounds it has on the screen.
func openGIF(data []byte) (frame, error) {
	return newFrame(data, gif.DecodeConfig, gif.Decode)
}

// openJPEG counts scans by their marker, FF DA, which cannot occur within coded
// pixels. It may by chance occur in metadata, some 30 times in 2 MiB.
func openJPEG(data []byte) (frame, error) {
	if scans := bytes.Count(data, []byte{0xff, 0xda}); scans > maxScans {
		return frame{}, tooManyScans(scans)
	}
	opened, err := newFrame(data, jpeg.DecodeConfig, jpeg.Decode)
	opened.exif = exifOfJPEG(data)
	return opened, err
}

func openPNG(data []byte) (frame, error) {
	pixels, exif := pixelChunks(data)
	opened, err := newFrame(pixels, png.DecodeConfig, png.Decode)
	opened.exif = exif
	return opened, err
}

// pixelChunks returns a PNG file without the chunks that carry no pixels, and
// without what follows its end. The decoder would skip them, but it allocates
// 4 KiB for each, and 2 MiB hold 170,000 empty ones. It also returns the payload
// of the chunk with Exif data, or nil.
func pixelChunks(data []byte) (kept, exif []byte) {
	const signature, overhead = 8, 12 // length, name and checksum of a chunk
	kept = bytes.Clone(data[:signature])
	for rest := data[signature:]; len(rest) >= overhead; {
		size := int64(binary.BigEndian.Uint32(rest)) + overhead
		if size > int64(len(rest)) {
			break
		}
		switch string(rest[4:8]) {
		case "IHDR", "PLTE", "tRNS", "IDAT":
			kept = append(kept, rest[:size]...)
		case "eXIf":
			exif = rest[8 : size-4]
		case "IEND":
			return append(kept, rest[:size]...), exif
		}
		rest = rest[size:]
	}
	return kept, exif
}
