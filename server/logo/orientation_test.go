package logo_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"slices"
	"testing"
)

// exifOf returns Exif data with an orientation.
func exifOf(order binary.AppendByteOrder, mark string, orientation uint16) []byte {
	data := order.AppendUint32(append([]byte(mark), order.AppendUint16(nil, 42)...), 8)
	data = order.AppendUint16(data, 2)
	for _, tag := range []struct{ id, value uint16 }{{0x0100, 40}, {0x0112, orientation}} { // width, then orientation
		data = order.AppendUint32(order.AppendUint16(order.AppendUint16(data, tag.id), 3), 1)
		data = order.AppendUint16(order.AppendUint16(data, tag.value), 0)
	}
	return order.AppendUint32(data, 0)
}

func withApp1(jpeg, exif []byte) []byte {
	payload := append([]byte("Exif\x00\x00"), exif...)
	segment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(payload)+2)), payload...)
	return slices.Concat(jpeg[:2], segment, jpeg[2:])
}

// corners is a picture of 40×20 whose quarters have four colours, in the order
// top left, top right, bottom left, bottom right.
func corners() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			img.SetNRGBA(x, y, quarters[2*(y/10)+x/20])
		}
	}
	return img
}

var quarters = []color.NRGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}, {R: 255, G: 255, A: 255}}

// shown are the quarters as they are shown, as numbers of quarters, and whether
// width and height change places (Exif 2.32, 4.6.4, tag Orientation).
var shown = map[uint16]struct {
	order [4]int
	tall  bool
}{
	1: {[4]int{0, 1, 2, 3}, false},
	2: {[4]int{1, 0, 3, 2}, false},
	3: {[4]int{3, 2, 1, 0}, false},
	4: {[4]int{2, 3, 0, 1}, false},
	5: {[4]int{0, 2, 1, 3}, true},
	6: {[4]int{2, 0, 3, 1}, true},
	7: {[4]int{3, 1, 2, 0}, true},
	8: {[4]int{1, 3, 0, 2}, true},
	0: {[4]int{0, 1, 2, 3}, false}, // means nothing
	9: {[4]int{0, 1, 2, 3}, false}, // means nothing
}

func TestEncode_Orientation(t *testing.T) {
	photo, drawing := jpegOf(t, corners()), pngOf(t, corners())
	for orientation, want := range shown {
		little, big := exifOf(binary.LittleEndian, "II", orientation), exifOf(binary.BigEndian, "MM", orientation)
		for name, upload := range map[string]struct {
			data        []byte
			contentType string
		}{
			"JPEG, little-endian": {withApp1(photo, little), jpegType},
			"JPEG, big-endian":    {withApp1(photo, big), jpegType},
			"PNG":                 {withChunks(drawing, chunk("eXIf", big)), pngType},
		} {
			t.Run(fmt.Sprintf("%d in a %s", orientation, name), func(t *testing.T) {
				got := encoded(t, upload.data, upload.contentType)
				size := image.Pt(40, 20)
				if want.tall {
					size = image.Pt(20, 40)
				}
				if got.Rect.Size() != size {
					t.Fatalf("size: got %v, want %v", got.Rect.Size(), size)
				}
				for i, quarter := range want.order {
					at := image.Pt(size.X/4+i%2*size.X/2, size.Y/4+i/2*size.Y/2)
					if c := got.NRGBAAt(at.X, at.Y); !near(c, quarters[quarter]) {
						t.Errorf("quarter %d: got %v, want %v", i, c, quarters[quarter])
					}
				}
			})
		}
	}
}

func TestEncode_OrientationOfWebP(t *testing.T) {
	still := file(t, "lossless.webp")[12:]
	for name, exif := range map[string][]byte{
		"as the format has it":    exifOf(binary.BigEndian, "MM", 3),
		"with the prefix of JPEG": append([]byte("Exif\x00\x00"), exifOf(binary.LittleEndian, "II", 3)...),
	} {
		t.Run(name, func(t *testing.T) {
			plain := encoded(t, webpOf(vp8x(0, 16, 16), still), webpType)
			turned := encoded(t, webpOf(vp8x(1<<3, 16, 16), still, riff("EXIF", exif)), webpType)
			for y := range 16 {
				for x := range 16 {
					if plain.NRGBAAt(x, y) != turned.NRGBAAt(15-x, 15-y) {
						t.Fatalf("the pixel at %d, %d is not turned by half a turn", x, y)
					}
				}
			}
		})
	}
}

// Exif data that breaks off or lies turns nothing and refuses nothing.
func TestEncode_BrokenOrientation(t *testing.T) {
	photo, whole := jpegOf(t, corners()), exifOf(binary.BigEndian, "MM", 6)
	broken := [][]byte{bytes.Clone(whole)}
	binary.BigEndian.PutUint32(broken[0][4:], 0xffffffff) // the directory would be far beyond the end
	for length := range len(whole) - 4 {
		broken = append(broken, whole[:length])
	}
	for _, exif := range broken {
		if got := encoded(t, withApp1(photo, exif), jpegType); got.Rect.Size() != image.Pt(40, 20) {
			t.Errorf("% x turns the picture", exif)
		}
	}
}
