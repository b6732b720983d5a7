// Package logo checks the image a caller uploads as a client's logo and encodes
// it again, so that what is stored and served is never the caller's bytes.
//
// It owns the formats accepted, their limits, what decoding one may cost, and the
// name a logo has in its URL. It knows no wire, no database and no configuration,
// and it must not use the registry of package image: each decoder is called by
// name, so that another import cannot add a format.
package logo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
)

const (
	// MaxBytes is the size of the largest upload, in bytes.
	MaxBytes = 2 << 20
	// MaxSide is the greatest width and height of a logo, in pixels.
	MaxSide = 512
)

// Encode checks an uploaded image and returns our own PNG encoding of it.
//
// The type must be image/png, image/jpeg, image/webp or image/gif, and the data
// must be of that type. Of an animation the first frame is kept, on a canvas of
// the animation's size, transparent where the frame does not reach. Nothing but
// pixels is kept, at 8 bits a channel: text, Exif and colour profiles are
// dropped. A picture is turned as its Exif orientation says, and colours are taken
// as sRGB.
//
// A refusal is an [*Error]. Any other error is ours to fix. A call allocates some
// 30 MiB at most, and some 210 MiB for a lossless WebP that was built to cost
// much. It is safe to call concurrently, but the caller must bound the sum.
func Encode(data []byte, contentType string) ([]byte, error) {
	if len(data) > MaxBytes {
		return nil, tooLarge(len(data))
	}
	f, err := formatOf(data, contentType)
	if err != nil {
		return nil, err
	}
	picture, err := f.picture(data)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("encode logo: %w", err)
	}
	return out.Bytes(), nil
}

// Hash names an encoded logo in its URL: the first 32 characters of the SHA-256
// of what [Encode] returned, in hexadecimal. Equal logos have equal names.
func Hash(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:16])
}

// picture decodes the first frame of data. A decoder that gives up, or panics,
// has met data that its format does not allow: both are the caller's malformed
// image, and what the decoder says of it stays here.
func (f format) picture(data []byte) (picture *image.NRGBA, err error) {
	defer func() {
		if recover() != nil {
			picture, err = nil, malformed(f.contentType)
		}
	}()
	picture, err = f.decode(data)
	if err != nil && !errors.As(err, new(*Error)) {
		return nil, malformed(f.contentType)
	}
	return picture, err
}

// decode looks at the sizes that data claims before it decodes anything: a file
// of a few bytes can claim gigabytes of pixels.
func (f format) decode(data []byte) (*image.NRGBA, error) {
	first, err := f.open(data)
	if err != nil {
		return nil, err
	}
	if err := checkSides(first.canvas, first.size); err != nil {
		return nil, err
	}
	img, err := first.decode()
	if err != nil {
		return nil, err
	}
	return turn(paint(first.canvas, first.at, img), orientation(first.exif)), nil
}

func checkSides(sizes ...image.Point) error {
	for _, size := range sizes {
		if min(size.X, size.Y) < 1 || max(size.X, size.Y) > MaxSide {
			return badDimensions(size)
		}
	}
	return nil
}

// paint copies img onto an empty canvas, moved by at. It converts pixel by pixel
// because image/draw premultiplies on the way, which loses the colours of nearly
// transparent pixels.
func paint(size, at image.Point, img image.Image) *image.NRGBA {
	canvas := image.NewNRGBA(image.Rectangle{Max: size})
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			canvas.Set(x+at.X, y+at.Y, img.At(x, y))
		}
	}
	return canvas
}
