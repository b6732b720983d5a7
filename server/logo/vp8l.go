package logo

import "image"

// maxCodeBytes bounds what the decoder allocates for the prefix codes of a
// lossless image. The most that libwebp was seen to need, for 512×512 pixels made
// to need much, is 5 MiB; 120 KB made by hand can need 190.
const maxCodeBytes = 10 << 20

// checkPrefixCodes refuses a VP8L bitstream, without its header, whose prefix
// codes take more than maxCodeBytes to decode. The format allows a set of codes
// for every 4×4 pixels, and a code of thousands of symbols in a few bytes.
//
// It reads the stream only up to its pixels (RFC 9649, section 3), which takes
// the decoding of the small images before them: of the transforms, and of the
// map from places to code groups, whose greatest entry is how many there are.
// What else may be wrong with the stream is left for the decoder to find.
func checkPrefixCodes(stream []byte, size image.Point) error {
	r := &bitReader{data: stream}
	size, err := r.skipTransforms(size)
	if err != nil {
		return err
	}
	cached := r.readCacheSize()
	groups := 1
	if r.read(1) == 1 {
		last, err := r.readImage(tiles(size, 2+r.read(3)))
		if err != nil {
			return err
		}
		groups = last + 1
	}
	return r.checkGroups(groups, cached)
}

func (r *bitReader) checkGroups(groups, cached int) error {
	total := 0
	for range groups {
		codes, err := r.readGroup(cached)
		if err != nil {
			return err
		}
		for i, alphabet := range alphabets(cached) {
			total += codeBytes(alphabet, len(codes[i].symbols))
		}
		if total > maxCodeBytes {
			return tooManyCodes()
		}
	}
	return nil
}

// codeBytes is what x/image/vp8l allocates for one code: a look-up table, the
// lengths and codes of its alphabet, and two nodes of a tree for each symbol.
func codeBytes(alphabet, symbols int) int {
	return 536 + 8*alphabet + 16*symbols
}

const (
	literals = 256 // values of a colour channel
	repeats  = 24  // prefixes of how many earlier pixels to repeat
)

// alphabets returns how many symbols each code of a group chooses from: green,
// repeat or colour cache index; red; blue; alpha; distance.
func alphabets(cached int) [5]int {
	return [5]int{literals + repeats + cached, literals, literals, literals, 40}
}

// skipTransforms returns the size of the image that remains to be decoded.
func (r *bitReader) skipTransforms(size image.Point) (image.Point, error) {
	var seen [4]bool
	for r.read(1) == 1 {
		kind := r.read(2)
		if seen[kind] {
			return size, errVP8L
		}
		seen[kind] = true
		var err error
		switch kind {
		case 0, 1: // predictor, colour
			_, err = r.readImage(tiles(size, 2+r.read(3)))
		case 3: // colour indexing
			colours := 1 + r.read(8)
			_, err = r.readImage(image.Pt(colours, 1))
			size.X = indexedWidth(size.X, colours)
		}
		if err != nil {
			return size, err
		}
	}
	return size, nil
}

// indexedWidth is the width of an image whose pixels, of so few colours, share a
// byte.
func indexedWidth(width, colours int) int {
	switch {
	case colours <= 2:
		return (width + 7) / 8
	case colours <= 4:
		return (width + 3) / 4
	case colours <= 16:
		return (width + 1) / 2
	}
	return width
}

// tiles returns how many tiles, with sides of 2 to the power of bits, cover size.
func tiles(size image.Point, bits int) image.Point {
	return size.Add(image.Pt(1<<bits-1, 1<<bits-1)).Div(1 << bits)
}

// readCacheSize returns the size of the colour cache, in colours; 0 for none.
func (r *bitReader) readCacheSize() int {
	if r.read(1) == 0 {
		return 0
	}
	return 1 << r.read(4)
}

func (r *bitReader) readGroup(cached int) (codes [5]prefixCode, err error) {
	for i, alphabet := range alphabets(cached) {
		if codes[i], err = r.readPrefixCode(alphabet); err != nil {
			return codes, err
		}
	}
	if r.ended() {
		return codes, errVP8L
	}
	return codes, nil
}

// readImage reads an image that is part of another's coding and returns the
// greatest of its values, red and green taken as one number. Only literal pixels
// count: all others repeat earlier ones.
func (r *bitReader) readImage(size image.Point) (int, error) {
	codes, err := r.readGroup(r.readCacheSize())
	if err != nil {
		return 0, err
	}
	greatest := 0
	for left := size.X * size.Y; left > 0; {
		green := codes[0].next(r)
		switch {
		case green < literals:
			greatest = max(greatest, codes[1].next(r)<<8|green)
			codes[2].next(r)
			codes[3].next(r)
			left--
		case green < literals+repeats:
			left -= r.readReference(green - literals)
			r.readReference(codes[4].next(r))
		default:
			left--
		}
	}
	if r.ended() {
		return 0, errVP8L
	}
	return greatest, nil
}

// readReference reads the rest of a length or distance, of which it is given the
// prefix.
func (r *bitReader) readReference(prefix int) int {
	if prefix < 4 {
		return prefix + 1
	}
	extra := (prefix - 2) >> 1
	return (2+(prefix&1))<<extra + r.read(extra) + 1
}
