package logo

import (
	"bytes"
	"encoding/binary"
	"image"
)

// upright is the orientation of a picture that is shown as it is stored. The
// others, 2 to 8, are turned or mirrored (Exif 2.32, tag Orientation).
const upright = 1

// exifPrefix stands before the Exif data of a JPEG, and of some WebP files.
const exifPrefix = "Exif\x00\x00"

// orientation reads the tag Orientation of Exif data, which is a TIFF header and
// a directory. It returns upright for data that says nothing it can use.
func orientation(exif []byte) int {
	const header, entrySize, tag, short = 8, 12, 0x0112, 3
	exif = bytes.TrimPrefix(exif, []byte(exifPrefix))
	if len(exif) < header {
		return upright
	}
	var order binary.ByteOrder = binary.BigEndian
	switch string(exif[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
	default:
		return upright
	}
	directory := int64(order.Uint32(exif[4:]))
	if directory+2 > int64(len(exif)) {
		return upright
	}
	entries := exif[directory+2:]
	for range order.Uint16(exif[directory:]) {
		if len(entries) < entrySize {
			break
		}
		value := int(order.Uint16(entries[8:]))
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short && value >= upright && value <= 8 {
			return value
		}
		entries = entries[entrySize:]
	}
	return upright
}

// turn returns the picture as it is shown if it is stored with an orientation.
func turn(stored *image.NRGBA, orientation int) *image.NRGBA {
	if orientation == upright {
		return stored
	}
	size := stored.Rect.Size()
	shown := image.NewNRGBA(image.Rectangle{Max: size})
	if orientation >= 5 {
		shown = image.NewNRGBA(image.Rect(0, 0, size.Y, size.X))
	}
	for y := range shown.Rect.Dy() {
		for x := range shown.Rect.Dx() {
			from := image.Pt(x, y)
			if orientation >= 5 {
				from = image.Pt(y, x)
			}
			if orientation == 2 || orientation == 3 || orientation >= 7 {
				from.X = size.X - 1 - from.X
			}
			if orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 {
				from.Y = size.Y - 1 - from.Y
			}
			shown.SetNRGBA(x, y, stored.NRGBAAt(from.X, from.Y))
		}
	}
	return shown
}

// exifOfJPEG returns the payload of the first Exif segment before the pixels, or
// nil.
func exifOfJPEG(data []byte) []byte {
	const marker, app1, startOfScan = 0xff, 0xe1, 0xda
	for rest := data[2:]; len(rest) >= 4 && rest[0] == marker && rest[1] != startOfScan; {
		size := int(binary.BigEndian.Uint16(rest[2:])) + 2
		if size > len(rest) {
			break
		}
		if rest[1] == app1 && bytes.HasPrefix(rest[4:size], []byte(exifPrefix)) {
			return rest[4:size]
		}
		rest = rest[size:]
	}
	return nil
}
