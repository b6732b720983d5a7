package logo_test

import (
	"image"
	"image/color"
	"testing"
)

// A bitWriter writes a VP8L bitstream, the least significant bit first.
type bitWriter struct {
	data []byte
	free int // bits of the last byte
}

func (w *bitWriter) write(bits, value int) {
	for i := range bits {
		if w.free == 0 {
			w.data, w.free = append(w.data, 0), 8
		}
		w.data[len(w.data)-1] |= byte(value>>i&1) << (8 - w.free)
		w.free--
	}
}

// writeCode writes a symbol in its code, the most significant bit first.
func (w *bitWriter) writeCode(bits, symbol int) {
	for i := bits - 1; i >= 0; i-- {
		w.write(1, symbol>>i)
	}
}

// flatCode defines a code in which each of the first symbols, 2 to the power of
// bits, has that many bits. It takes about nine bytes.
func (w *bitWriter) flatCode(bits int) {
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	w.write(1, 0)
	w.write(4, len(order)-4)
	for _, length := range order { // one length, which therefore takes no bits
		if length == bits {
			w.write(3, 1)
		} else {
			w.write(3, 0)
		}
	}
	w.write(1, 1)
	w.write(3, 5)
	w.write(12, 1<<bits-2)
}

// zeroCodes defines codes of one symbol, zero.
func (w *bitWriter) zeroCodes(count int) {
	for range count {
		w.write(4, 0b0001)
	}
}

// manyCodes is the body of a VP8L image of 512×512 black pixels that defines as
// many groups of large codes as told, in 45 bytes each.
func manyCodes(groups int) []byte {
	w := &bitWriter{}
	w.write(1, 0)       // no transform
	w.write(5, 1|11<<1) // a colour cache of 2048
	w.write(4, 1|0<<1)  // a map of groups, an entry for 4×4 pixels
	w.write(1, 0)       // its colour cache: none
	w.flatCode(8)       // its green
	w.flatCode(8)       // its red
	w.zeroCodes(3)
	for i := range 128 * 128 {
		group := min(i, groups-1)
		w.writeCode(8, group&255)
		w.writeCode(8, group>>8)
	}
	for range groups {
		for _, bits := range []int{11, 8, 8, 8, 5} {
			w.flatCode(bits)
		}
	}
	return append(w.data, make([]byte, 512*512*(11+3*8)/8)...)
}

// lossless is a VP8L chunk of 512×512 pixels.
func lossless(body []byte) []byte {
	w := &bitWriter{}
	w.write(8, 0x2f)
	w.write(14, 511)
	w.write(14, 511)
	w.write(4, 0)
	return riff("VP8L", w.data, body)
}

// indexed is the body of a VP8L image of 16×16 pixels of two colours, eight to a
// byte, in two groups of codes: the map of groups covers 2×16 bytes.
func indexed() []byte {
	w := &bitWriter{}
	w.write(1, 1)      // a transform
	w.write(2, 3)      // colour indexing
	w.write(8, 2-1)    // of two colours
	w.write(1, 0)      // whose image has no colour cache
	w.zeroCodes(5)     // and is black
	w.write(1, 0)      // no other transform
	w.write(1, 0)      // no colour cache
	w.write(4, 1|0<<1) // a map of groups, an entry for 4×4 bytes
	w.write(1, 0)      // its colour cache: none
	w.write(4, 0b0011) // its green: a code of two symbols, 0
	w.write(8, 1)      // and 1
	w.zeroCodes(4)
	w.write(4, 0b1010) // its four entries
	w.zeroCodes(2 * 5)
	return w.data
}

func TestEncodeReadsCodesPastAPalette(t *testing.T) {
	got := encoded(t, sixteen(indexed()), webpType)
	if black := (color.NRGBA{}); got.Rect.Max != image.Pt(16, 16) || got.NRGBAAt(15, 15) != black {
		t.Errorf("got %v of %v", got.Rect, got.NRGBAAt(15, 15))
	}
}
