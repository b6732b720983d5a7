package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

const (
	// maxInteger is where a double stops to hold every integer.
	maxInteger = 1 << 53
	// exponentFrom is where protojson begins to write a double with an exponent.
	exponentFrom = 1e21
)

func freeDecoder(text []byte) *json.Decoder {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder
}

// free looks for what free JSON would lose: members with the name of another one,
// and digits of numbers.
func (f *faults) free(path string, decoder *json.Decoder) {
	token, _ := decoder.Token() // it is JSON
	switch token := token.(type) {
	case json.Number:
		if !isKept(token.String()) {
			f.add(path, "number", fmt.Sprintf(
				`must have no number beyond ±%d, which would lose digits: write it as a string, such as "%d"`, maxInteger, maxInteger+1))
		}
	case json.Delim:
		given := map[json.Token]bool{}
		for i := 0; decoder.More(); i++ {
			below := index(path, i)
			if token == '{' {
				name, _ := decoder.Token()
				below = join(path, fmt.Sprint(name))
				if given[name] {
					f.add(below, "duplicate", "must be given only once")
				}
				given[name] = true
			}
			f.free(below, decoder)
		}
		_, _ = decoder.Token() // the end of the object or list
	}
}

// isKept reports whether free JSON keeps a number as it is written. It becomes a
// double, which is written again with all digits below exponentFrom, wrong ones too.
func isKept(number string) bool {
	double, err := strconv.ParseFloat(number, 64)
	switch size := math.Abs(double); {
	case err != nil:
		return false
	case size < maxInteger || size >= exponentFrom && strings.ContainsAny(number, "eE"):
		return true
	}
	exact, _, err := big.ParseFloat(number, 10, 128, big.ToNearestEven)
	return err == nil && exact.Abs(exact).Cmp(big.NewFloat(maxInteger)) <= 0
}

var errLargeNumber = errors.New("large number")

// hasLargeNumber reports whether free JSON in a message has a number that isKept
// must look at. Free JSON is an object inside of the object that the message is.
func hasLargeNumber(text []byte, message proto.Message) bool {
	if bytes.Count(text, []byte("{")) < 2 {
		return false
	}
	return protorange.Range(message.ProtoReflect(), func(values protopath.Values) error {
		if number, ok := values.Index(-1).Value.Interface().(float64); ok && math.Abs(number) >= maxInteger {
			return errLargeNumber
		}
		return nil
	}) != nil
}
