package logo_test

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

// lengths begins the definition of a code: the lengths of its codes are first
// or second, which takes a bit each if they differ and else none.
func (w *bitWriter) lengths(first, second int) {
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	w.write(1, 0)
	w.write(4, len(order)-4)
	for _, length := range order {
		if length == first || length == second {
			w.write(3, 1)
		} else {
			w.write(3, 0)
		}
	}
}

// flatCode defines a code in which each of the first symbols, 2 to the power of
// bits, has that many bits. It takes about nine bytes.
func (w *bitWriter) flatCode(bits int) {
	w.lengths(bits, bits)
	w.write(1, 1)
	w.write(3, 5)
	w.write(12, 1<<bits-2)
}

// largestCode defines a code with all the symbols that green can have: 1768 of 11
// bits and 560 of 12. The decoder takes complete codes only.
func (w *bitWriter) largestCode() {
	const short, long = 1768, 256 + 24 + 2048 - 1768
	w.lengths(11, 12)
	w.write(1, 0)
	w.write(short, 0)
	for range long {
		w.write(1, 1)
	}
}

// zeroCodes defines codes of one symbol, zero.
func (w *bitWriter) zeroCodes(count int) {
	for range count {
		w.write(4, 0b0001)
	}
}

// codeGroups is the body of a VP8L image of 512×512 black pixels. It defines
// groups of the largest codes that the decoder takes, in some 330 bytes each.
func codeGroups(groups int) []byte {
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
		w.largestCode()
		for _, bits := range []int{8, 8, 8, 5} {
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
