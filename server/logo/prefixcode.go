package logo

import "errors"

// errVP8L stands for whatever is wrong with a lossless WebP bitstream.
var errVP8L = errors.New("vp8l: malformed bitstream")

// maxCodeLength is the longest prefix code of a symbol, in bits.
const maxCodeLength = 15

// A bitReader reads a VP8L bitstream, the least significant bit first. Past the
// end of data it reads zeros.
type bitReader struct {
	data []byte
	pos  int // in bits
}

func (r *bitReader) read(bits int) int {
	value := 0
	for i := range bits {
		if at := r.pos >> 3; at < len(r.data) {
			value |= int(r.data[at]>>(r.pos&7)&1) << i
		}
		r.pos++
	}
	return value
}

// ended reports whether more was read than there is.
func (r *bitReader) ended() bool { return r.pos > 8*len(r.data) }

// A prefixCode is a canonical prefix code (RFC 9649, section 3).
type prefixCode struct {
	counts  [maxCodeLength + 1]int // how many symbols have a code of each length
	symbols []int                  // in the order of their codes
}

// newPrefixCode builds the code in which symbol i has a code of lengths[i] bits,
// 0 for none. The code must be complete, or of one symbol, which takes no bits:
// of an overfull one the decoder makes something, which could not be foreseen.
func newPrefixCode(lengths []int) (prefixCode, error) {
	var code prefixCode
	for _, length := range lengths {
		if length > 0 {
			code.counts[length]++
		}
	}
	unused, next := 1, [maxCodeLength + 2]int{}
	for length := 1; length <= maxCodeLength; length++ {
		unused = 2*unused - code.counts[length]
		next[length+1] = next[length] + code.counts[length]
	}
	used := next[maxCodeLength+1]
	if used != 1 && unused != 0 {
		return prefixCode{}, errVP8L
	}
	code.symbols = make([]int, used)
	for symbol, length := range lengths {
		if length > 0 {
			code.symbols[next[length]] = symbol
			next[length]++
		}
	}
	return code, nil
}

// next reads one symbol. A code of one symbol takes no bits.
func (c *prefixCode) next(r *bitReader) int {
	if len(c.symbols) == 1 {
		return c.symbols[0]
	}
	code, first, index := 0, 0, 0
	for length := 1; length <= maxCodeLength; length++ {
		code |= r.read(1)
		if i := code - first; i < c.counts[length] {
			return c.symbols[index+i]
		}
		index += c.counts[length]
		first = (first + c.counts[length]) << 1
		code <<= 1
	}
	return 0 // never: a complete code has a symbol for any 15 bits
}

// readPrefixCode reads the definition of a code over an alphabet.
func (r *bitReader) readPrefixCode(alphabet int) (prefixCode, error) {
	if r.read(1) == 1 {
		return r.readSimpleCode(alphabet)
	}
	lengths := make([]int, alphabet)
	if err := r.readLengths(lengths); err != nil {
		return prefixCode{}, err
	}
	return newPrefixCode(lengths)
}

// readSimpleCode reads a code of one or two symbols, given as they are.
func (r *bitReader) readSimpleCode(alphabet int) (prefixCode, error) {
	var code prefixCode
	two := r.read(1)
	code.symbols = append(code.symbols, r.read(1+7*r.read(1)))
	if two == 1 {
		code.symbols = append(code.symbols, r.read(8))
		code.counts[1] = 2
	}
	for _, symbol := range code.symbols {
		if symbol >= alphabet {
			return prefixCode{}, errVP8L
		}
	}
	return code, nil
}

// readLengths reads the code length of each symbol, themselves prefix-coded.
func (r *bitReader) readLengths(lengths []int) error {
	code, err := r.readLengthCode()
	if err != nil {
		return err
	}
	coded := len(lengths)
	if r.read(1) == 1 {
		coded = 2 + r.read(2+2*r.read(3))
	}
	if coded > len(lengths) {
		return errVP8L
	}
	previous := 8
	for symbol := 0; symbol < len(lengths) && coded > 0; coded-- {
		length, run := code.next(r), 1
		switch {
		case length == 16:
			length, run = previous, 3+r.read(2)
		case length == 17:
			length, run = 0, 3+r.read(3)
		case length == 18:
			length, run = 0, 11+r.read(7)
		case length > 0:
			previous = length
		}
		if symbol+run > len(lengths) {
			return errVP8L
		}
		for range run {
			lengths[symbol] = length
			symbol++
		}
	}
	return nil
}

// readLengthCode reads the code that the code lengths are in.
func (r *bitReader) readLengthCode() (prefixCode, error) {
	order := [...]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	count := 4 + r.read(4)
	if count > len(order) {
		return prefixCode{}, errVP8L
	}
	lengths := make([]int, len(order))
	for _, symbol := range order[:count] {
		lengths[symbol] = r.read(3)
	}
	return newPrefixCode(lengths)
}
