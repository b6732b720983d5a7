package linearizable_test

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// kind is what an operation does.
type kind int

const (
	rotate kind = iota
	get
	verify
	replay
	overlap // a rotation with an overlap that outlasts the test
	revoke  // of the previous secret
)

// input is what an operation was asked to do.
type input struct {
	client int
	kind   kind
	secret string // verify: what is presented; replay: what the rotation answered
	made   int64  // replay: the version the rotation answered
}

// output is what came back.
type output struct {
	version int64 // 0: refused
	secret  string
	revoked bool
}

// state is a client: the version and the secret that are valid. The previous secret
// is valid, too, unless it is empty.
type state struct {
	version  int64
	secret   string
	previous string
}

// model is a client with one valid secret, or two in an overlap: whatever callers see must be what
// they could see if one call were made after the other.
func model(initial []state) porcupine.Model {
	return porcupine.Model{
		Partition: byClient,
		Init:      func() any { return state{} },
		Step:      func(s, in, out any) (bool, any) { return step(initial, as[state](s), as[input](in), as[output](out)) },
		DescribeOperation: func(in, out any) string {
			return fmt.Sprintf("%+v -> %+v", in, out)
		},
	}
}

func step(initial []state, s state, in input, out output) (bool, any) {
	if s == (state{}) {
		s = initial[in.client]
	}
	switch in.kind {
	case rotate:
		return out.version == s.version+1 && out.secret != s.secret, state{out.version, out.secret, ""}
	case overlap:
		if out.version == 0 { // one is in progress
			return s.previous != "", s
		}
		return s.previous == "" && out.version == s.version+1 && out.secret != s.secret, state{out.version, out.secret, s.secret}
	case revoke:
		return out.revoked == (s.previous != "") && out.version == s.version, state{s.version, s.secret, ""}
	case get:
		return out == output{version: s.version, secret: s.secret}, s
	case verify:
		return out == output{version: s.versionOf(in.secret)}, s
	case replay:
		if out.version == 0 { // superseded
			return in.made != s.version, s
		}
		return in.made == s.version && in.secret == out.secret, s
	default:
		return false, s
	}
}

// versionOf returns the version of a valid secret, and 0 for any other.
func (s state) versionOf(secret string) int64 {
	switch secret {
	case s.secret:
		return s.version
	case s.previous:
		return s.version - 1
	default:
		return 0
	}
}

func byClient(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[int][]porcupine.Operation{}
	for _, op := range history {
		client := as[input](op.Input).client
		parts[client] = append(parts[client], op)
	}
	var list [][]porcupine.Operation
	for _, part := range parts {
		list = append(list, part)
	}
	return list
}

// as is what was put into the history: anything else becomes a zero value, which
// no step is legal with.
func as[T any](recorded any) T {
	value, _ := recorded.(T)
	return value
}
